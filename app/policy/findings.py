"""From what an engine answered to findings, outcomes, a verdict and a digest. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.core.canonical import digest
from app.policy.schemas import CheckReport, CheckResult, EnforcementLevel, Finding, Outcome, PolicyCheckOut, Verdict

MAX_FINDINGS = 500
_TEXT_LIMIT = 4000


class MalformedResult(ValueError):
    """A policy's ``deny`` or ``warn`` is not a set or array of strings or objects."""


def read_findings(
    packages: Mapping[tuple[str, ...], Sequence[str]], values: Mapping[str, Sequence[Any]]
) -> tuple[Finding, ...]:
    """Return the findings in an engine's answer, sorted, at most ``MAX_FINDINGS`` and one that counts the rest.

    ``packages`` names the rules that each package has; ``values`` holds for ``package/rule`` a list with the rule's
    value, empty when it is undefined. Raises ``MalformedResult`` for a rule that is undefined or no collection.
    """
    found: list[Finding] = []
    for package, rules in packages.items():
        name = ".".join(package)
        for rule in rules:
            answer = values.get(f"{name}/{rule}")
            if not answer:
                raise MalformedResult(f"{rule} of package {name} is undefined; make it a set, which may be empty")
            if not isinstance(answer[0], list):
                raise MalformedResult(f"{rule} of package {name} is {_kind(answer[0])}; it must be a set or an array")
            found += [_finding(name, "deny" if rule == "deny" else "warn", item) for item in answer[0]]
    unique = sorted(set(found), key=_order)
    if len(unique) > MAX_FINDINGS:
        rest = unique[MAX_FINDINGS:]
        kind: Literal["deny", "warn"] = "deny" if any(item.kind == "deny" for item in rest) else "warn"
        more = Finding(rule="sluice", kind=kind, message=f"and {len(rest)} more findings that are not shown")
        unique = [*unique[:MAX_FINDINGS], more]
    return tuple(unique)


def outcome_of(findings: Sequence[Finding]) -> Outcome:
    """A plan fails a policy set when anything was denied; warnings only tell."""
    return "failed" if any(finding.kind == "deny" for finding in findings) else "passed"


def verdict_of(results: Sequence[CheckResult]) -> Verdict:
    """Return the verdict of all results together.

    What could not be evaluated blocks like a hard-mandatory failure, whatever the level, unless the attachment waives
    it, which only advisory ones may.
    """
    verdict: Verdict = "passed"
    for result in results:
        verdict = max(verdict, _weight(result), key=_SEVERITY.index)
    return verdict


def results_digest(results: Sequence[CheckResult | PolicyCheckOut]) -> str:
    """Return the SHA-256 of the results for the plan's fingerprint: sorted, without durations, ids or engine.

    The results of a check and the stored checks of a run, read back, give the same digest.
    """
    rows = [
        {
            "policy_set_uri": result.policy_set_uri,
            "bundle_digest": result.bundle_digest,
            "enforcement_level": result.enforcement_level,
            "outcome": result.outcome,
            "findings": [finding.model_dump() for finding in result.findings],
        }
        for result in results
    ]
    return digest(sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)))


def report(results: Sequence[CheckResult]) -> CheckReport:
    """Return results, verdict, digest and a sentence together."""
    blocking = [result for result in results if _weight(result) != "passed"]
    return CheckReport(
        results=tuple(results),
        verdict=verdict_of(results),
        results_digest=results_digest(results),
        failed=len(blocking),
        summary=_summary(results, blocking),
    )


_SEVERITY: tuple[Verdict, ...] = ("passed", "advisory", "blocked_soft", "blocked_hard")


def weigh(outcome: Outcome, level: EnforcementLevel, *, waives_unevaluable: bool) -> Verdict:
    """Return the verdict of one outcome by itself, at the level of its attachment."""
    if outcome == "passed":
        return "passed"
    if outcome == "error":
        return "advisory" if waives_unevaluable and level == "advisory" else "blocked_hard"
    if level == "hard-mandatory":
        return "blocked_hard"
    return "blocked_soft" if level == "soft-mandatory" else "advisory"


def _weight(result: CheckResult) -> Verdict:
    return weigh(result.outcome, result.enforcement_level, waives_unevaluable=result.waives_unevaluable)


def _summary(results: Sequence[CheckResult], blocking: Sequence[CheckResult]) -> str:
    if not results:
        return "No policy set is attached."
    if not blocking:
        return f"{_sets(len(results))} passed."
    parts = []
    for result in blocking:
        denied = sum(finding.kind == "deny" for finding in result.findings)
        said = f"could not be evaluated: {result.error}" if result.outcome == "error" else f"denied {denied}"
        parts.append(f"{result.policy_set_uri} ({result.enforcement_level}) {said}")
    return f"{len(blocking)} of {_sets(len(results))} did not pass: " + "; ".join(parts) + "."


def _sets(count: int) -> str:
    return "1 policy set" if count == 1 else f"{count} policy sets"


def _finding(package: str, kind: Literal["deny", "warn"], item: Any) -> Finding:
    if isinstance(item, str):
        return Finding(rule=package, kind=kind, message=_cut(item))
    if not isinstance(item, dict):
        raise MalformedResult(f"{kind} of package {package} holds {_kind(item)}; use strings or objects with a message")
    message = _text(item, "message", "msg")
    return Finding(
        rule=_text(item, "rule", "id") or package,
        kind=kind,
        # A denial without words still denies; the object itself is then what can be said.
        message=message or _cut(json.dumps(item, sort_keys=True, ensure_ascii=False)),
        address=_text(item, "address", "resource"),
        remedy=_text(item, "remedy"),
        severity=_text(item, "severity"),
    )


def _text(item: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = item.get(name)
        if isinstance(value, str) and value:
            return _cut(value)
    return None


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", dict: "an object", list: "a list"}
    return names.get(type(value), "something else")


def _order(finding: Finding) -> tuple[str, ...]:
    return (
        finding.kind,
        finding.rule,
        finding.address or "",
        finding.message,
        finding.remedy or "",
        finding.severity or "",
    )
