"""The run state machine: one table, pure.

``decide`` is the only way to a new status. Rows are tried top down; the first whose guard holds wins. What is outside
the table raises ``IllegalTransition``, except that on a final run the triggers in ``EVIDENCE_ON_FINAL`` are recorded
as evidence. Where rows exist and no guard holds, ``GuardRefused`` is raised and nothing changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.runs.errors import GuardRefused, IllegalTransition
from app.runs.words import Kind, Status

__all__ = ["Kind", "Status"]


class Trigger(StrEnum):
    """What happens to a run."""

    REQUEST = "request"
    CLAIM = "claim"
    SETTLE = "settle"
    OVERRIDE = "override"
    REEVALUATE = "reevaluate"
    APPROVE = "approve"
    AUTO_APPROVE = "auto_approve"
    DISCARD = "discard"
    SUPERSEDE = "supersede"
    STALE = "stale"
    FINISH = "finish"
    CHILD_ENDED = "child_ended"
    CANCEL = "cancel"
    REQUEST_CANCEL = "request_cancel"
    ACKNOWLEDGE_CANCEL = "acknowledge_cancel"
    FAIL = "fail"
    HALT = "halt"


VERBS = {
    Trigger.REQUEST: "be requested",
    Trigger.CLAIM: "be started",
    Trigger.SETTLE: "settle",
    Trigger.OVERRIDE: "be overridden",
    Trigger.REEVALUATE: "be evaluated again",
    Trigger.APPROVE: "be approved",
    Trigger.AUTO_APPROVE: "be approved by rule",
    Trigger.DISCARD: "be discarded",
    Trigger.SUPERSEDE: "be superseded",
    Trigger.STALE: "be found stale",
    Trigger.FINISH: "finish",
    Trigger.CHILD_ENDED: "take its apply's end",
    Trigger.CANCEL: "be cancelled",
    Trigger.REQUEST_CANCEL: "be cancelled",
    Trigger.ACKNOWLEDGE_CANCEL: "end as cancelled",
    Trigger.FAIL: "fail",
    Trigger.HALT: "be halted",
}
"""What a trigger does to a run, in words."""

FINAL = frozenset(
    {
        Status.PLANNED,
        Status.NO_CHANGES,
        Status.APPLIED,
        Status.SUPERSEDED,
        Status.DISCARDED,
        Status.CANCELLED,
        Status.ERRORED,
    }
)
PLANS = frozenset(set(Kind) - {Kind.APPLY})
MOVES = frozenset({Kind.ROLLBACK, Kind.MIGRATION})
"""Plans that move a state and change no resource. No rule approves them: a person does."""
APPLY = frozenset({Kind.APPLY})
ANY_KIND = frozenset(Kind)
EVIDENCE_ON_FINAL = frozenset(
    {
        Trigger.HALT,
        Trigger.SETTLE,
        Trigger.FINISH,
        Trigger.FAIL,
        Trigger.ACKNOWLEDGE_CANCEL,
        Trigger.CHILD_ENDED,
    }
)


@dataclass(frozen=True)
class Facts:
    """What the guards look at. Each caller states what it established; everything else is false."""

    fence_is_clear: bool = False
    inputs_exist: bool = False
    is_within_limits: bool = False
    is_speculative: bool = False
    is_in_turn: bool = False
    others_have_quiesced: bool = False
    cancel_was_requested: bool = False
    input_has_moved: bool = False
    is_blocked: bool = False
    has_changes: bool = False
    may_override: bool = False
    makes_quorum: bool = False
    fingerprint_is_current: bool = False
    rule_allows_auto_apply: bool = False
    is_permitted: bool = False
    child_is_queued: bool = False
    quorum_is_lost: bool = False
    engine_has_started: bool = False
    engine_exited_zero: bool = False
    state_is_stored: bool = False
    process_is_gone: bool = False
    is_in_halt_scope: bool = False
    child_status: Status | None = None


@dataclass(frozen=True)
class Row:
    """One row of the table. ``to`` None takes the child's status."""

    sources: frozenset[Status | None]
    trigger: Trigger
    kinds: frozenset[Kind]
    guard: str
    holds: Callable[[Facts], bool]
    to: Status | None


@dataclass(frozen=True)
class Decision:
    """What a trigger does: the next status, or evidence that changes nothing."""

    status: Status
    is_evidence: bool = False


_WAITING: tuple[Status, ...] = (Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED)


def _rows() -> tuple[Row, ...]:
    rows: list[Row] = []

    def row(
        sources: tuple[Status | None, ...],
        trigger: Trigger,
        guard: str,
        holds: Callable[[Facts], bool],
        to: Status | None,
        kinds: frozenset[Kind] = PLANS,
    ) -> None:
        rows.append(Row(frozenset(sources), trigger, kinds, guard, holds, to))

    row(
        (None,),
        Trigger.REQUEST,
        "no fence; its spec version, configuration and workspace exist",
        lambda f: f.fence_is_clear and f.inputs_exist,
        Status.QUEUED,
    )
    row(
        (Status.QUEUED,),
        Trigger.CLAIM,
        "no fence; within the limits; speculative, or in turn and every other claimed run here has quiesced",
        lambda f: (
            f.fence_is_clear and f.is_within_limits and (f.is_speculative or (f.is_in_turn and f.others_have_quiesced))
        ),
        Status.RUNNING,
        ANY_KIND,
    )
    running = (Status.RUNNING,)
    row(running, Trigger.SETTLE, "cancel was requested", lambda f: f.cancel_was_requested, Status.CANCELLED)
    row(running, Trigger.SETTLE, "speculative", lambda f: f.is_speculative, Status.PLANNED)
    row(
        running,
        Trigger.SETTLE,
        "an input moved since the run pinned it",
        lambda f: f.input_has_moved,
        Status.SUPERSEDED,
    )
    row(
        running,
        Trigger.SETTLE,
        "a mandatory policy failed, or any could not be evaluated",
        lambda f: f.is_blocked,
        Status.POLICY_BLOCKED,
    )
    row(running, Trigger.SETTLE, "the plan has no changes", lambda f: not f.has_changes, Status.NO_CHANGES)
    row(running, Trigger.SETTLE, "otherwise", lambda _: True, Status.AWAITING_APPROVAL)
    row(
        (Status.POLICY_BLOCKED,),
        Trigger.OVERRIDE,
        "only soft-mandatory policies failed and all were evaluated; permission; reason; not the requester",
        lambda f: f.may_override and f.is_permitted,
        Status.AWAITING_APPROVAL,
    )
    row(
        (Status.AWAITING_APPROVAL,),
        Trigger.REEVALUATE,
        "an override ended, or a policy blocks now without one",
        lambda f: f.is_blocked,
        Status.POLICY_BLOCKED,
    )
    row(
        (Status.POLICY_BLOCKED,),
        Trigger.REEVALUATE,
        "nothing blocks any more",
        lambda f: not f.is_blocked,
        Status.AWAITING_APPROVAL,
    )
    row(
        (Status.AWAITING_APPROVAL,),
        Trigger.APPROVE,
        "no fence; permission; this decision makes the quorum; the fingerprint is current",
        lambda f: f.fence_is_clear and f.is_permitted and f.makes_quorum and f.fingerprint_is_current,
        Status.APPROVED,
    )
    row(
        (Status.AWAITING_APPROVAL,),
        Trigger.AUTO_APPROVE,
        "no fence; the workspace's rule allows it; the fingerprint is current",
        lambda f: f.fence_is_clear and f.rule_allows_auto_apply and f.fingerprint_is_current,
        Status.APPROVED,
        PLANS - MOVES,
    )
    row(
        (*_WAITING,),
        Trigger.DISCARD,
        "permission",
        lambda f: f.is_permitted,
        Status.DISCARDED,
    )
    row(
        (Status.APPROVED,),
        Trigger.DISCARD,
        "permission; the child is still queued",
        lambda f: f.is_permitted and f.child_is_queued,
        Status.DISCARDED,
    )
    row(
        (*_WAITING,),
        Trigger.SUPERSEDE,
        "spec head, configuration, variables, lock file or state moved; or the plan's maximum age passed",
        lambda f: f.input_has_moved,
        Status.SUPERSEDED,
    )
    row(
        (Status.APPROVED,),
        Trigger.SUPERSEDE,
        "the same, or the quorum no longer holds; the child is still queued",
        lambda f: (f.input_has_moved or f.quorum_is_lost) and f.child_is_queued,
        Status.SUPERSEDED,
    )
    row(
        running,
        Trigger.STALE,
        "fingerprint moved, a policy fails or can't be evaluated, or the quorum is lost; the engine has not started",
        lambda f: not f.engine_has_started and (f.input_has_moved or f.is_blocked or f.quorum_is_lost),
        Status.SUPERSEDED,
        APPLY,
    )
    row(
        running,
        Trigger.FINISH,
        "the engine exited 0 and the state it left is stored",
        lambda f: f.engine_exited_zero and f.state_is_stored,
        Status.APPLIED,
        APPLY,
    )
    row((Status.APPROVED,), Trigger.CHILD_ENDED, "", lambda f: f.child_status in FINAL, None)
    row((Status.QUEUED,), Trigger.CANCEL, "permission", lambda f: f.is_permitted, Status.CANCELLED, ANY_KIND)
    row(
        running,
        Trigger.REQUEST_CANCEL,
        "permission; once",
        lambda f: f.is_permitted and not f.cancel_was_requested,
        Status.RUNNING,
        ANY_KIND,
    )
    row(
        running,
        Trigger.ACKNOWLEDGE_CANCEL,
        "cancel was requested; the process is gone, the state stored",
        lambda f: f.cancel_was_requested and f.process_is_gone and f.state_is_stored,
        Status.CANCELLED,
        ANY_KIND,
    )
    row(
        running,
        Trigger.FAIL,
        "an error, or the sweep found the lease expired",
        lambda _: True,
        Status.ERRORED,
        ANY_KIND,
    )
    row(
        tuple(status for status in Status if status not in FINAL),
        Trigger.HALT,
        "the halt's scope holds it",
        lambda f: f.is_in_halt_scope,
        Status.CANCELLED,
        ANY_KIND,
    )
    return tuple(rows)


TABLE: tuple[Row, ...] = _rows()


def rows_for(kind: Kind, status: Status | None, trigger: Trigger) -> tuple[Row, ...]:
    """Return the rows of the table for this combination, in the order they are tried."""
    return tuple(row for row in TABLE if row.trigger is trigger and kind in row.kinds and status in row.sources)


def decide(kind: Kind, status: Status | None, trigger: Trigger, facts: Facts) -> Decision:
    """Return what ``trigger`` does to a run of ``kind`` in ``status``, given the ``facts``.

    Raises ``IllegalTransition`` outside the table and ``GuardRefused`` when no guard holds.
    """
    if status in FINAL and trigger in EVIDENCE_ON_FINAL:
        return Decision(status, is_evidence=True)
    rows = rows_for(kind, status, trigger)
    if not rows:
        raise refusal(kind, status, trigger, VERBS[trigger])
    for row in rows:
        if row.holds(facts):
            target = row.to if row.to is not None else facts.child_status
            if target is None:
                raise AssertionError("a row without a target takes the child's status, which its guard demands")
            return Decision(target)
    raise GuardRefused(
        f"A {kind.value} run that is {_words(status)} can't {VERBS[trigger]} now: it takes "
        f"{'; or '.join(row.guard for row in rows)}.",
        kind=kind.value,
        run_status=status.value if status else None,
        trigger=trigger.value,
    )


def refusal(kind: Kind, status: Status | None, trigger: Trigger, verb: str) -> IllegalTransition:
    """Return the error that a run in ``status`` can't do what ``verb`` says; for what is over, with the remedy."""
    is_over = status in FINAL and trigger is Trigger.APPROVE
    return IllegalTransition(
        f"A {kind.value} run that is {_words(status)} can't {verb}.{' Plan again.' if is_over else ''}",
        kind=kind.value,
        run_status=status.value if status else None,
        trigger=trigger.value,
    )


def _words(status: Status | None) -> str:
    return "not requested yet" if status is None else status.value.replace("_", " ")


def markdown_table() -> str:
    """Return the table as Markdown, for the docs."""
    lines = ["| from | trigger | guard | to |", "|---|---|---|---|"]
    for row in TABLE:
        ordered = [s for s in Status if s in row.sources]
        if set(ordered) == set(Status) - FINAL:
            source = "any that is not final"
        else:
            source = ", ".join(s.value for s in ordered) or "\u2013"
        if row.kinds == APPLY:
            source += " (apply)"
        elif row.kinds == PLANS and row.trigger is Trigger.SETTLE:
            source += " (plans)"
        elif row.kinds == PLANS - MOVES:
            source += " (but rollback, migration)"
        target = "the child's status" if row.to is None else f"**{row.to}**" if row.to in FINAL else row.to.value
        lines.append(f"| {source} | {row.trigger.value} | {row.guard} | {target} |")
    return "\n".join(lines)
