import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.policy.checker import PolicyChecker
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import CheckResult
from tests.policy.bundles import bundle, pinned

DENY_A = 'package example\n\ndeny contains "a is 1" if input.a == 1\n'
SLOW = """package slow
deny contains x if {
    some a in numbers.range(1, 4000)
    some b in numbers.range(1, 4000)
    some c in numbers.range(1, 4000)
    x := sprintf("%d", [a + b + c])
    a + b + c < 0
}
"""
HUGE = """package huge
deny contains x if {
    some x in [y | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); y := sprintf("%d-%d", [a, b])]
    x == "never"
}
"""


def _one(checker: PolicyChecker, text: str, document: dict[str, object] | None = None) -> CheckResult:
    (result,) = checker.check([pinned(text)], document or {}).results
    return result


def test_check_deny_fails_and_its_absence_passes(checker: PolicyChecker) -> None:
    failed, passed = _one(checker, DENY_A, {"a": 1}), _one(checker, DENY_A, {"a": 2})
    assert (failed.outcome, [item.message for item in failed.findings]) == ("failed", ["a is 1"])
    assert (passed.outcome, passed.findings, passed.error) == ("passed", (), None)
    assert failed.policy_engine.startswith(("opa ", "regorus "))
    assert 0 <= failed.duration_ms < 60_000


def test_check_rego_v0_and_v1_are_both_read(checker: PolicyChecker) -> None:
    assert _one(checker, 'package p\ndeny[msg] { input.a == 1; msg := "v0" }\n', {"a": 1}).findings[0].message == "v0"
    v1_import = 'package p\nimport rego.v1\ndeny contains msg if { input.a == 1; msg := "v1" }\n'
    assert _one(checker, v1_import, {"a": 1}).findings[0].message == "v1"


def test_check_objects_arrays_and_warnings_are_read(checker: PolicyChecker) -> None:
    text = """package p
deny := [{"message": "no", "address": r.address, "remedy": "remove it"} | some r in input.resources]
warn contains {"msg": "careful", "severity": "low"}
"""
    result = _one(checker, text, {"resources": [{"address": "a.b"}]})
    assert [(f.kind, f.message, f.address, f.remedy, f.severity) for f in result.findings] == [
        ("deny", "no", "a.b", "remove it", None),
        ("warn", "careful", None, None, "low"),
    ]


def test_check_data_json_is_seen(checker: PolicyChecker) -> None:
    content = bundle("package p\ndeny contains t if some t in data.limits.types\n", data='{"limits": {"types": ["x"]}}')
    assert checker.check([pinned(content)], {}).results[0].findings[0].message == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("package p\ndeny contains {", "p"),
        ("package p\ndeny contains x if { x := y }\n", "unsafe"),
        ("package p\ndeny contains x if { x := http.send({}) }\n", "http.send"),
        ("package p\ndeny contains x if { false; x := time.now_ns() }\n", "time.now_ns"),
        ("package p\nother := 1\n", "neither deny nor warn"),
        ("package p\ndeny := 3\n", "number"),
        ("package p\ndeny := true\n", "boolean"),
        ('package p\ndeny := {"a": 1}\n', "object"),
        ("package p\ndeny contains 7\n", "number"),
        ("package p\ndeny := {1} if input.missing\n", "undefined"),
        ("package p\ndeny contains x if some x in data.nowhere.set\n", "data.nowhere.set"),
        ("package p\ndeny contains 1 if missing_function(2)\n", "missing_function"),
        ('package p\ndeny contains x if { x := to_number("word") }\n', ""),
        ("package p\nx := 1 if input\nx := 2 if input\ndeny contains y if y := x\n", ""),
    ],
)
def test_check_unevaluable_policy_blocks_with_reason(checker: PolicyChecker, text: str, said: str) -> None:
    report = checker.check([pinned(text, "soft-mandatory")], {})
    (result,) = report.results
    assert (result.outcome, report.verdict) == ("error", "blocked_hard")
    assert result.error
    assert said in result.error
    assert "backtrace" not in result.error


def test_check_template_string_can_not_hide_a_builtin(checker: PolicyChecker) -> None:
    text = 'package p\nx := $"{http.send({})}"\ndeny contains "no" if x == "never"\n'
    assert _one(checker, text).outcome == "error"


@pytest.mark.parametrize("text", [SLOW])
def test_check_endless_policy_is_ended_and_blames_only_itself(
    checker_with: Callable[..., PolicyChecker], text: str
) -> None:
    checker = checker_with(policy_timeout_seconds=2, policy_memory_mb=2048)
    report = checker.check([pinned(DENY_A), pinned(text), pinned(DENY_A.replace("example", "other"))], {"a": 1})
    assert [result.outcome for result in report.results] == ["failed", "error", "failed"]
    assert "longer than 2 s" in str(report.results[1].error)


def test_check_greedy_policy_is_ended_and_blames_only_itself(checker_with: Callable[..., PolicyChecker]) -> None:
    checker = checker_with(policy_timeout_seconds=30, policy_memory_mb=128)
    report = checker.check([pinned(HUGE), pinned(DENY_A)], {"a": 2})
    assert [result.outcome for result in report.results] == ["error", "passed"]
    assert "128 MiB" in str(report.results[0].error)


def test_check_many_sets_answers_in_order_each_for_itself(checker: PolicyChecker) -> None:
    texts = [f'package p{n}\ndeny contains "{n}" if input.a == {n}\n' for n in range(6)]
    sets = [pinned(bundle(text, rego_version=1), attachment_id=f"polatt-{n}") for n, text in enumerate(texts)]
    sets.insert(3, pinned(bundle('package p9\ndeny contains x if { x := to_number("x") }\n', rego_version=1)))
    # The same packages again, with another content: they must not see each other.
    sets.append(pinned(bundle('package p0\ndeny contains "other"\n', rego_version=1), attachment_id="polatt-other"))
    report = checker.check(sets, {"a": 4})
    assert [result.outcome for result in report.results] == [
        *("passed", "passed", "passed", "error", "passed", "failed", "passed", "failed")
    ]


def test_check_altered_bundle_blocks(checker: PolicyChecker) -> None:
    item = pinned(DENY_A).model_copy(update={"bundle": bundle(DENY_A.replace("== 1", "== 7"))})
    (result,) = checker.check([item], {"a": 1}).results
    assert (result.outcome, "digest" in str(result.error)) == ("error", True)


def test_check_without_attachments_starts_nothing() -> None:
    checker = PolicyChecker(Settings(policy_engine="opa", opa=Path("/nonexistent/opa")))
    report = checker.check([], {})
    assert (report.verdict, report.results) == ("passed", ())


def test_check_missing_opa_blocks_with_remedy() -> None:
    for engine in ("opa", "auto"):
        checker = PolicyChecker(Settings(policy_engine=engine, opa=Path("/nonexistent/opa")))
        report = checker.check([pinned(DENY_A, "advisory")], {})
        assert report.verdict == "blocked_hard"
        assert "SLUICE_OPA" in str(report.results[0].error)


def test_check_auto_without_opa_takes_the_engine_in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    checker = PolicyChecker(Settings(tools_dir=tmp_path))
    assert checker.engine_name().startswith("regorus ")
    assert _one(checker, DENY_A, {"a": 1}).outcome == "failed"


def test_check_opa_that_is_killed_blocks(tmp_path: Path) -> None:
    fake = tmp_path / "opa"
    fake.write_text('#!/bin/sh\n[ "$1" = version ] && echo "Version: 9.9" && exit 0\nkill -KILL $$\n')
    fake.chmod(0o755)
    report = PolicyChecker(Settings(opa=fake)).check([pinned(DENY_A)], {"a": 2})
    assert report.results[0].outcome == "error"
    assert "SIGKILL" in str(report.results[0].error)


def test_check_input_that_is_no_json_blocks(checker: PolicyChecker) -> None:
    assert _one(checker, DENY_A, {"a": float("nan")}).outcome == "error"


def test_compile_finds_the_version_and_refuses_with_reason(checker: PolicyChecker) -> None:
    assert checker.compile(bundle(DENY_A)).rego_version == 1
    old = checker.compile(bundle('package p\ndeny[msg] { msg := "x" }\n'))
    assert old.rego_version == 0
    assert old.digest == bundle(*old.files.values()).digest
    with pytest.raises(PolicySetInvalid) as refused:
        checker.compile(bundle("package p\ndeny contains {"))
    assert refused.value.fields["errors"][0]["field"] == "policy_set_uri"


def test_check_both_engines_agree(checker_with: Callable[..., PolicyChecker]) -> None:
    document = {"a": 1, "list": [3, 1, 2], "text": "é\u0001", "n": 1.5}
    text = """package p
deny contains msg if { some x in input.list; msg := sprintf("%d of %v", [x, input.list]) }
deny contains {"message": concat("-", sort(["b", "a"])), "address": input.text}
warn contains msg if { input.n > 1; msg := sprintf("%v", [object.get(input, "none", "default")]) }
"""
    (result,) = checker_with().check([pinned(text)], document).results
    assert json.loads(json.dumps([item.message for item in result.findings])) == [
        *("1 of [3, 1, 2]", "2 of [3, 1, 2]", "3 of [3, 1, 2]", "a-b", "default")
    ]
