import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core.settings import Settings
from app.executor.errors import ToolMissing
from app.policy import service
from app.policy.checker import PolicyChecker
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import Evaluated
from tests.policy.bundles import bundle

DRAFT = """package draft
deny contains sprintf("%d is too many", [input.count]) if input.count > 3
warn contains x if { x := lower(input.name); x == "prod" }
"""
SLOW = """package slow
deny contains "never" if {
    input.is_slow
    some a in numbers.range(1, 4000)
    some b in numbers.range(1, 4000)
    some c in numbers.range(1, 4000)
    a + b + c < 0
}
deny contains "asked" if input.deny
"""


def _all(checker: PolicyChecker, text: str, documents: list[Any]) -> list[Evaluated]:
    return list(checker.evaluate_many(bundle(text), documents))


def test_evaluate_many_answers_for_each_document_in_order(checker: PolicyChecker) -> None:
    found = _all(checker, DRAFT, [{"count": n, "name": "Prod"} for n in range(70)])
    assert [item.outcome for item in found] == ["passed"] * 4 + ["failed"] * 66
    assert [item.message for item in found[5].findings] == ["5 is too many", "prod"]
    assert found[69].values == {"draft/deny": ["69 is too many"], "draft/warn": ["prod"]}
    assert all(item.policy_engine.startswith(("opa ", "regorus ")) and item.duration_ms >= 0 for item in found)


def test_evaluate_many_is_what_a_check_of_each_alone_says(checker: PolicyChecker) -> None:
    documents: list[Any] = [{"count": 9, "name": "a"}, {"count": 1}, {}, {"count": "x", "name": None}, {"name": "PROD"}]
    together = _all(checker, DRAFT, documents)
    alone = [answer for document in documents for answer in _all(checker, DRAFT, [document])]
    told = [(item.outcome, item.findings, item.error) for item in together]
    assert told == [(item.outcome, item.findings, item.error) for item in alone]
    assert told[3][0] == "error"


def test_evaluate_many_takes_documents_that_are_json_already(checker: PolicyChecker) -> None:
    (found,) = _all(checker, DRAFT, [json.dumps({"count": 4, "name": "x"}).encode()])
    assert found.outcome == "failed"


def test_evaluate_many_endless_document_blames_only_itself(checker_with: Callable[..., PolicyChecker]) -> None:
    checker = checker_with(policy_timeout_seconds=2, policy_memory_mb=2048)
    found = _all(checker, SLOW, [{"deny": True}, {"is_slow": True}, {}, {"deny": True}])
    assert [item.outcome for item in found] == ["failed", "error", "passed", "failed"]
    assert "longer than 2 s" in str(found[1].error)


def test_evaluate_many_greedy_document_blames_only_itself(checker_with: Callable[..., PolicyChecker]) -> None:
    greedy = """package greedy
deny contains x if {
    side := numbers.range(1, input.n)
    some x in [y | some a in side; some b in side; y := sprintf("%d-%d", [a, b])]
    x == "1-1"
}
"""
    checker = checker_with(policy_timeout_seconds=30, policy_memory_mb=128)
    found = _all(checker, greedy, [{"n": 2}, {"n": 3000}, {}])
    assert [item.outcome for item in found] == ["failed", "error", "passed"]
    assert "128 MiB" in str(found[1].error)


def test_evaluate_many_takes_no_more_documents_than_are_wanted(checker: PolicyChecker) -> None:
    taken = 0

    def documents() -> Iterator[dict[str, int]]:
        nonlocal taken
        for taken in range(1, 100_000):
            yield {"count": taken}

    answers = checker.evaluate_many(bundle('package p\ndeny contains "x"\n'), documents())
    assert next(answers).outcome == "failed"
    answers.close()  # type: ignore[attr-defined]  # a generator
    assert taken < 1000


def test_evaluate_many_syntax_error_is_told_of_every_document(checker: PolicyChecker) -> None:
    found = _all(checker, "package p\ndeny contains {\n", [{}, {}])
    assert [item.outcome for item in found] == ["error", "error"]


def test_evaluate_many_set_without_deny_is_refused(checker: PolicyChecker) -> None:
    with pytest.raises(PolicySetInvalid, match="neither deny nor warn"):
        _all(checker, "package p\nx := 1\n", [{}])


def test_evaluate_many_without_the_engine_raises() -> None:
    with pytest.raises(ToolMissing):
        _all(PolicyChecker(Settings(policy_engine="opa", opa="/nonexistent/opa")), DRAFT, [{}])


def test_compile_draft_leaves_tests_out_and_finds_the_version() -> None:
    made = service.compile_draft({"a.rego": DRAFT, "a_test.rego": "package nonsense {"}, '{"x": 1}')
    assert (sorted(made.files), made.rego_version, made.data) == (["a.rego"], 1, '{"x": 1}')


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        ({}, None, "no .rego file"),
        ({"a_test.rego": DRAFT}, None, "no .rego file"),
        ({"../a.rego": DRAFT}, None, "characters"),
        ({"-a.rego": DRAFT}, None, "characters"),
        ({"a.txt": DRAFT}, None, "not a .rego file"),
        ({"a.rego": DRAFT, "a.rego/b.rego": DRAFT}, None, "a file and a directory"),
        ({"a.rego": "package p\n# " + "x" * (4 * 1024 * 1024)}, None, "larger than 4 MiB"),
        ({f"a{n}.rego": DRAFT for n in range(201)}, None, "at most 200"),
        ({"a.rego": "package p\n# \ud800"}, None, "not UTF-8"),
        ({"a.rego": "package p\ndeny contains {"}, None, "p"),
        ({"a.rego": DRAFT}, "[1]", "data.json"),
    ],
)
def test_compile_draft_refuses_with_reason(files: dict[str, str], data: str | None, said: str) -> None:
    with pytest.raises(PolicySetInvalid) as refused:
        service.compile_draft(files, data)
    assert said in refused.value.detail
