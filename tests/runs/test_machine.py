"""The run table against an oracle from the design, over every kind, status, trigger and combination of facts."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import product

import pytest

from app.runs.errors import GuardRefused, IllegalTransition
from app.runs.machine import (
    EVIDENCE_ON_FINAL,
    FINAL,
    TABLE,
    Decision,
    Facts,
    Kind,
    Status,
    Trigger,
    decide,
    markdown_table,
)

S, T = Status, Trigger
BOOLEANS = [field.name for field in fields(Facts) if field.name != "child_status"]
WAITING = {S.AWAITING_APPROVAL, S.POLICY_BLOCKED}
REFUSED = "refused"
OUTSIDE = "outside"
Expectation = Status | str


def facts_that_matter(trigger: Trigger) -> list[str]:
    """Return the facts that some guard of the trigger reads, so that all their combinations can be tried."""
    read = {name for row in TABLE if row.trigger is trigger for name in row.holds.__code__.co_names}
    return [name for name in BOOLEANS if name in read]


def combinations(trigger: Trigger) -> Iterator[Facts]:
    """Yield all combinations of the facts that matter, the others all false, then all true."""
    matter = facts_that_matter(trigger)
    children: list[Status | None] = [None, *Status] if trigger is T.CHILD_ENDED else [None]
    for others in (False, True):
        rest = dict.fromkeys([name for name in BOOLEANS if name not in matter], others)
        for values in product((False, True), repeat=len(matter)):
            for child in children:
                yield Facts(**rest, **dict(zip(matter, values, strict=True)), child_status=child)


# The oracle: one function a trigger, after the design's table, knowing nothing of the module's rows.


def _settle(f: Facts) -> Expectation:
    if f.cancel_was_requested:
        return S.CANCELLED
    if f.is_speculative:
        return S.PLANNED
    if f.input_has_moved:
        return S.SUPERSEDED
    if f.is_blocked:
        return S.POLICY_BLOCKED
    return S.AWAITING_APPROVAL if f.has_changes else S.NO_CHANGES


def _supersede(status: Status, f: Facts) -> Expectation:
    moved = f.input_has_moved if status in WAITING else (f.input_has_moved or f.quorum_is_lost) and f.child_is_queued
    return S.SUPERSEDED if moved else REFUSED


def _to(target: Status, holds: bool) -> Expectation:
    return target if holds else REFUSED


# ruff: noqa: ARG005 - every oracle takes the same three
ORACLE: dict[Trigger, Callable[[Kind, Status | None, Facts], Expectation]] = {
    T.REQUEST: lambda k, s, f: (
        _to(S.QUEUED, f.fence_is_clear and f.inputs_exist) if s is None and k is not Kind.APPLY else OUTSIDE
    ),
    T.CLAIM: lambda k, s, f: (
        _to(
            S.RUNNING,
            f.fence_is_clear and f.is_within_limits and (f.is_speculative or (f.is_in_turn and f.others_have_quiesced)),
        )
        if s is S.QUEUED
        else OUTSIDE
    ),
    T.SETTLE: lambda k, s, f: _settle(f) if s is S.RUNNING and k is not Kind.APPLY else OUTSIDE,
    T.OVERRIDE: lambda k, s, f: (
        _to(S.AWAITING_APPROVAL, f.may_override and f.is_permitted)
        if s is S.POLICY_BLOCKED and k is not Kind.APPLY
        else OUTSIDE
    ),
    T.REEVALUATE: lambda k, s, f: (
        OUTSIDE
        if s not in WAITING or k is Kind.APPLY
        else _to(S.POLICY_BLOCKED, f.is_blocked)
        if s is S.AWAITING_APPROVAL
        else _to(S.AWAITING_APPROVAL, not f.is_blocked)
    ),
    T.APPROVE: lambda k, s, f: (
        _to(S.APPROVED, f.fence_is_clear and f.is_permitted and f.makes_quorum and f.fingerprint_is_current)
        if s is S.AWAITING_APPROVAL and k is not Kind.APPLY
        else OUTSIDE
    ),
    T.AUTO_APPROVE: lambda k, s, f: (
        _to(S.APPROVED, f.fence_is_clear and f.rule_allows_auto_apply and f.fingerprint_is_current)
        if s is S.AWAITING_APPROVAL and k in {Kind.PLAN, Kind.DESTROY, Kind.REFRESH}
        else OUTSIDE
    ),
    T.DISCARD: lambda k, s, f: (
        OUTSIDE
        if k is Kind.APPLY or s not in WAITING | {S.APPROVED}
        else _to(S.DISCARDED, f.is_permitted and (s in WAITING or f.child_is_queued))
    ),
    T.SUPERSEDE: lambda k, s, f: (
        OUTSIDE if k is Kind.APPLY or s is None or s not in WAITING | {S.APPROVED} else _supersede(s, f)
    ),
    T.STALE: lambda k, s, f: (
        _to(S.SUPERSEDED, not f.engine_has_started and (f.input_has_moved or f.is_blocked or f.quorum_is_lost))
        if s is S.RUNNING and k is Kind.APPLY
        else OUTSIDE
    ),
    T.FINISH: lambda k, s, f: (
        _to(S.APPLIED, f.engine_exited_zero and f.state_is_stored) if s is S.RUNNING and k is Kind.APPLY else OUTSIDE
    ),
    T.CHILD_ENDED: lambda k, s, f: (
        OUTSIDE
        if s is not S.APPROVED or k is Kind.APPLY
        else f.child_status
        if f.child_status in FINAL and f.child_status is not None
        else REFUSED
    ),
    T.CANCEL: lambda k, s, f: _to(S.CANCELLED, f.is_permitted) if s is S.QUEUED else OUTSIDE,
    T.REQUEST_CANCEL: lambda k, s, f: (
        _to(S.RUNNING, f.is_permitted and not f.cancel_was_requested) if s is S.RUNNING else OUTSIDE
    ),
    T.ACKNOWLEDGE_CANCEL: lambda k, s, f: (
        _to(S.CANCELLED, f.cancel_was_requested and f.process_is_gone and f.state_is_stored)
        if s is S.RUNNING
        else OUTSIDE
    ),
    T.FAIL: lambda k, s, f: S.ERRORED if s is S.RUNNING else OUTSIDE,
    T.HALT: lambda k, s, f: _to(S.CANCELLED, f.is_in_halt_scope) if s is not None and s not in FINAL else OUTSIDE,
}


def happens(kind: Kind, status: Status | None, trigger: Trigger, facts: Facts) -> Decision | str:
    try:
        return decide(kind, status, trigger, facts)
    except GuardRefused:
        return REFUSED
    except IllegalTransition:
        return OUTSIDE


def test_oracle_knows_every_trigger() -> None:
    assert set(ORACLE) == set(Trigger)


@pytest.mark.parametrize("trigger", Trigger)
def test_decide_every_kind_status_and_fact_gives_what_the_design_says(trigger: Trigger) -> None:
    tried = list(combinations(trigger))
    for kind, status in product(Kind, [None, *Status]):
        for facts in tried:
            expected: Decision | str
            if status in FINAL and trigger in EVIDENCE_ON_FINAL:
                assert status is not None
                expected = Decision(status, is_evidence=True)
            else:
                wanted = ORACLE[trigger](kind, status, facts)
                expected = Decision(wanted) if isinstance(wanted, Status) else wanted
            assert happens(kind, status, trigger, facts) == expected, (kind, status, trigger, facts)


def test_decide_final_run_moves_for_nothing() -> None:
    for kind, status, trigger in product(Kind, FINAL, Trigger):
        for facts in combinations(trigger):
            found = happens(kind, status, trigger, facts)
            if isinstance(found, Decision):
                assert found == Decision(status, is_evidence=True)
                assert trigger in EVIDENCE_ON_FINAL
            else:
                assert found == OUTSIDE


def test_evidence_on_final_is_what_the_design_lists() -> None:
    assert {trigger.value for trigger in EVIDENCE_ON_FINAL} == {
        "halt",
        "settle",
        "finish",
        "fail",
        "acknowledge_cancel",
        "child_ended",
    }


def test_illegal_transition_names_kind_status_and_trigger() -> None:
    with pytest.raises(IllegalTransition, match="A plan run that is queued can't be approved") as refused:
        decide(Kind.PLAN, S.QUEUED, T.APPROVE, Facts())
    assert refused.value.fields == {"kind": "plan", "run_status": "queued", "trigger": "approve"}


def test_guard_refused_says_what_it_takes() -> None:
    with pytest.raises(GuardRefused, match="fingerprint is current"):
        decide(Kind.PLAN, S.AWAITING_APPROVAL, T.APPROVE, Facts(fence_is_clear=True))


def test_markdown_table_has_a_line_a_row() -> None:
    lines = markdown_table().splitlines()
    assert len(lines) == len(TABLE) + 2
    assert all(line.count("|") == 5 for line in lines)
