"""Both engines say the same of what is odd: a policy may not depend on which of them a machine has."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.policy.checker import PolicyChecker
from app.policy.redaction import SENSITIVE_MARKER
from tests.policy.bundles import bundle, pinned

HUGE = 123456789012345678901234567890

CASES: dict[str, tuple[str, Any, list[str] | None]] = {
    "v0, strings": ('package p\ndeny[msg] { input.a > 1; msg := "big" }', {"a": 2}, ["big"]),
    "v0, objects": (
        'package p\ndeny[{"msg": m, "resource": r}] { r := input.rs[_]; m := sprintf("no %s", [r]) }',
        {"rs": ["b", "a"]},
        ["no a", "no b"],
    ),
    "v0, partial object": (
        'package p\nby[k] = v { v := input.o[k] }\ndeny[m] { by.a == 1; m := "a" }',
        {"o": {"a": 1}},
        ["a"],
    ),
    "v1, strings": ('package p\nimport rego.v1\ndeny contains "x" if input.a', {"a": True}, ["x"]),
    "v1, objects": ('package p\ndeny contains {"message": m} if some m in input.ms', {"ms": ["é", "z"]}, ["z", "é"]),
    "v1, partial object": (
        "package p\nby[k] := v if some k, v in input.o\ndeny contains k if some k, 2 in by",
        {"o": {"k": 2}},
        ["k"],
    ),
    "array": ("package p\ndeny := [m | some m in input.ms]", {"ms": ["b", "a", "b"]}, ["a", "b"]),
    "empty set": ("package p\ndeny := set()", {}, []),
    "empty set of a rule": ("package p\ndeny contains x if some x in input.none", {}, []),
    "empty array": ("package p\ndeny := []", {}, []),
    "undefined rule": ("package p\ndeny := {1} if input.absent", {}, None),
    "undefined rule with a default": ("package p\ndefault deny := set()\ndeny := {input.absent}", {}, []),
    "undefined in a body is no denial": ('package p\ndeny contains "x" if input.absent == 1', {}, []),
    "not of undefined": ('package p\ndeny contains "x" if not input.absent', {}, ["x"]),
    "null is defined": ('package p\ndeny contains "x" if input.a == null', {"a": None}, ["x"]),
    "false": ('package p\ndeny contains "x" if input.a == false', {"a": False}, ["x"]),
    "error in a builtin": ("package p\ndeny contains x if x := lower(input.a)", {"a": None}, None),
    "error in to_number": ("package p\ndeny contains x if x := to_number(input.a)", {"a": "one"}, None),
    "error in json.unmarshal": ("package p\ndeny contains x if x := json.unmarshal(input.a)", {"a": "{"}, None),
    "error in regex": ('package p\ndeny contains "x" if regex.match("(", input.a)', {"a": "a"}, None),
    "division by zero": ('package p\ndeny contains "x" if 1 / input.a > 0', {"a": 0}, None),
    "conflict of complete rules": (
        "package p\nx := 1 if input.a\nx := 2 if input.a\ndeny contains y if y := x",
        {"a": 1},
        None,
    ),
    "findings that are no findings": ("package p\ndeny contains [1, 2]", {}, None),
    "an object that is a set's place": ('package p\ndeny := {"a": "b"}', {}, None),
    "a denial without words": (
        'package p\ndeny contains {"z": 1, "a": [true, null]}',
        {},
        ['{"a": [true, null], "z": 1}'],
    ),
    "sensitive marker": (
        f'package p\ndeny contains "hidden" if input.a == "{SENSITIVE_MARKER}"',
        {"a": SENSITIVE_MARKER},
        ["hidden"],
    ),
    "largest integers": ('package p\ndeny contains "x" if input.a == 18446744073709551614', {"a": 2**64 - 1}, []),
    "digits in a string": (
        'package p\ndeny contains "x" if input.a == "123456789012345678901"',
        {"a": "123456789012345678901"},
        ["x"],
    ),
    "large integer, printed": (
        'package p\ndeny contains sprintf("%d", [input.a])',
        {"a": 2**53 + 1},
        ["9007199254740993"],
    ),
    "fractions": ('package p\ndeny contains "x" if input.a > 0.1', {"a": 0.25}, ["x"]),
    "integer and fraction are one number": ('package p\ndeny contains "x" if input.a == 1', {"a": 1.0}, ["x"]),
    "unicode, counted": ('package p\ndeny contains sprintf("%d", [count(input.a)])', {"a": "日本"}, ["2"]),
    "unicode, escaped": ('package p\ndeny contains "x" if input.a == "\\u65e5\\u0001"', {"a": "日\u0001"}, ["x"]),
    "unicode, key": ("package p\ndeny contains k if some k, _ in input.o", {"o": {"ключ": 1}}, ["ключ"]),
    "substring of unicode": ("package p\ndeny contains substring(input.a, 1, 1)", {"a": "日本😀"}, ["本"]),
    "deep document": (
        'package p\ndeny contains "x" if { some v; walk(input, [_, v]); v == "needle" }',
        json.loads('{"a":' * 60 + '"needle"' + "}" * 60),
        ["x"],
    ),
    "every over nothing": ('package p\ndeny contains "x" if every y in input.ys { y > 1 }', {"ys": []}, ["x"]),
    "else": ('package p\nlevel := "high" if input.a > 5 else := "low"\ndeny contains level', {"a": 1}, ["low"]),
    "with input": ('package p\nbad if input.a == 1\ndeny contains "x" if bad with input as {"a": 1}', {"a": 2}, ["x"]),
    "set operations": ('package p\ndeny contains x if some x in {"a", "b", "c"} - {"b"}', {}, ["a", "c"]),
    "sort and concat": ('package p\ndeny contains concat(",", sort(input.xs))', {"xs": ["c", "A", "b"]}, ["A,b,c"]),
    "object.get of a path": (
        'package p\ndeny contains object.get(input, ["a", "b"], "none")',
        {"a": {"b": "found"}},
        ["found"],
    ),
    "time of the input": (
        "package p\ndeny contains time.weekday(time.parse_rfc3339_ns(input.time))",
        {"time": "2026-11-20T10:00:00Z"},
        ["Friday"],
    ),
    "glob and cidr": (
        'package p\ndeny contains "x" if { glob.match("a*c", [], input.n); net.cidr_contains("10.0.0.0/8", input.ip) }',
        {"n": "abc", "ip": "10.1.2.3"},
        ["x"],
    ),
    "numbers as keys": ('package p\ndeny contains sprintf("%v", [k]) if some k, _ in {1: "a", 2: "b"}', {}, ["1", "2"]),
    "print says nothing": ('package p\ndeny contains "x" if { print("hello"); input.a }', {"a": 1}, ["x"]),
}


@pytest.mark.parametrize("name", CASES)
def test_odd_case_is_judged_as_expected_by_every_engine(checker: PolicyChecker, name: str) -> None:
    text, document, expected = CASES[name]
    (result,) = checker.check([pinned(text)], document).results
    (alone,) = checker.evaluate_many(bundle(text), [document])
    assert (alone.outcome, alone.findings) == (result.outcome, result.findings)
    if expected is None:
        assert (result.outcome, result.findings) == ("error", ())
        assert result.error
    else:
        assert result.error is None
        assert [finding.message for finding in result.findings] == sorted(expected)


def test_odd_cases_together_are_what_each_is_alone(checker_with: Callable[..., PolicyChecker]) -> None:
    checker = checker_with()
    named = {n: case for n, case in CASES.items() if case[1] == {}}
    sets = [pinned(bundle(text), attachment_id=f"polatt-{name}") for name, (text, _, _) in named.items()]
    together = checker.check(sets, {}).results
    for item, (text, _, expected) in zip(together, named.values(), strict=True):
        (alone,) = checker.check([pinned(text)], {}).results
        assert (item.outcome, item.findings) == (alone.outcome, alone.findings)
        assert (item.outcome == "error") == (expected is None)


@pytest.mark.parametrize("number", [HUGE, -HUGE, 2**64, -(2**63) - 1])
def test_integer_that_regorus_would_round_is_an_error_there_and_exact_with_opa(
    checker: PolicyChecker, number: int
) -> None:
    text = f'package p\ndeny contains "neighbour" if input.a == {number + 1}\nwarn contains "it" if input.a == {number}'
    (result,) = checker.check([pinned(text)], {"a": number}).results
    (alone, fine) = checker.evaluate_many(bundle(text), [{"a": number}, {"a": 1}])
    assert (alone.outcome, fine.outcome) == (result.outcome, "passed")
    if result.policy_engine.startswith("opa"):
        assert [finding.message for finding in result.findings] == ["it"]
    else:
        assert "regorus can't hold exactly" in str(result.error)


def test_characters_beyond_the_basic_plane_are_counted_by_opa_alone_as_one(checker: PolicyChecker) -> None:
    # Known, and told in docs/policies.md: regorus counts UTF-16 units.
    (result,) = checker.check([pinned('package p\ndeny contains sprintf("%d", [count(input.a)])')], {"a": "😀"}).results
    is_opa = result.policy_engine.startswith("opa")
    assert [finding.message for finding in result.findings] == ["1" if is_opa else "2"]
