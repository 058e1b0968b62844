from itertools import product

import pytest

from app.policy import findings
from app.policy.schemas import CheckResult, EnforcementLevel, Finding, Outcome

PACKAGES = {("a", "b"): ("deny", "warn")}


def _result(outcome: Outcome, level: EnforcementLevel, *, waives: bool = False, uri: str = "policies/x") -> CheckResult:
    denied = (Finding(rule="a", kind="deny", message="no"),) if outcome == "failed" else ()
    return CheckResult(
        attachment_id="polatt-1",
        policy_set_uri=uri,
        bundle_digest="0" * 64,
        enforcement_level=level,
        waives_unevaluable=waives,
        outcome=outcome,
        findings=denied,
        error="it broke" if outcome == "error" else None,
        policy_engine="opa 1",
        duration_ms=3,
    )


def test_read_findings_strings_and_objects_are_normalised_and_sorted() -> None:
    item = {"msg": "second", "resource": "a.b", "id": "R1", "remedy": "fix it", "severity": "high", "extra": 1}
    found = findings.read_findings(PACKAGES, {"a.b/deny": [["zero", item]], "a.b/warn": [["careful", "careful"]]})
    assert found == (
        Finding(rule="R1", kind="deny", message="second", address="a.b", remedy="fix it", severity="high"),
        Finding(rule="a.b", kind="deny", message="zero"),
        Finding(rule="a.b", kind="warn", message="careful"),
    )
    assert findings.outcome_of(found) == "failed"
    assert findings.outcome_of(found[2:]) == "passed"


def test_read_findings_object_without_message_still_denies() -> None:
    (found,) = findings.read_findings({("p",): ("deny",)}, {"p/deny": [[{"why": "x"}]]})
    assert (found.kind, found.message) == ("deny", '{"why": "x"}')


@pytest.mark.parametrize("value", [[], [3], [True], [{"a": 1}], ["text"], [None], [[3]], [[["x"]]], [[None]]])
def test_read_findings_undefined_or_no_set_raises(value: list[object]) -> None:
    with pytest.raises(findings.MalformedResult):
        findings.read_findings({("p",): ("deny",)}, {"p/deny": value})


def test_read_findings_too_many_are_counted_and_still_deny() -> None:
    many = [f"m{number:05}" for number in range(findings.MAX_FINDINGS + 7)]
    found = findings.read_findings({("p",): ("deny",)}, {"p/deny": [many]})
    assert len(found) == findings.MAX_FINDINGS + 1
    assert found[-1].kind == "deny"
    assert "7 more" in found[-1].message


WORST = {
    ("passed", "advisory"): "passed",
    ("passed", "soft-mandatory"): "passed",
    ("passed", "hard-mandatory"): "passed",
    ("failed", "advisory"): "advisory",
    ("failed", "soft-mandatory"): "blocked_soft",
    ("failed", "hard-mandatory"): "blocked_hard",
    ("error", "advisory"): "blocked_hard",
    ("error", "soft-mandatory"): "blocked_hard",
    ("error", "hard-mandatory"): "blocked_hard",
}
ORDER = ["passed", "advisory", "blocked_soft", "blocked_hard"]


@pytest.mark.parametrize(("first", "second"), list(product(WORST, WORST)))
def test_verdict_is_the_worst_of_all(
    first: tuple[Outcome, EnforcementLevel], second: tuple[Outcome, EnforcementLevel]
) -> None:
    expected = max(WORST[first], WORST[second], key=ORDER.index)
    assert findings.verdict_of([_result(*first), _result(*second)]) == expected


def test_verdict_waived_error_is_advisory_on_advisory_only() -> None:
    assert findings.verdict_of([_result("error", "advisory", waives=True)]) == "advisory"
    assert findings.verdict_of([_result("error", "hard-mandatory", waives=True)]) == "blocked_hard"


def test_results_digest_ignores_order_time_and_engine_but_not_content() -> None:
    one, two = _result("failed", "advisory"), _result("passed", "advisory", uri="policies/y")
    digest = findings.results_digest([one, two])
    again = one.model_copy(update={"duration_ms": 99, "policy_engine": "regorus", "attachment_id": "polatt-9"})
    assert findings.results_digest([two, again]) == digest
    assert findings.results_digest([one]) != digest
    assert findings.results_digest([one.model_copy(update={"outcome": "passed"}), two]) != digest


def test_report_says_what_did_not_pass() -> None:
    report = findings.report(
        [_result("failed", "soft-mandatory"), _result("error", "advisory"), _result("passed", "advisory")]
    )
    assert (report.failed, report.verdict) == (2, "blocked_hard")
    assert "denied 1" in report.summary
    assert "it broke" in report.summary
    assert findings.report([]).verdict == "passed"
