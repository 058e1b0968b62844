"""What a run that can't go on answers: one error for each cause, so that a program needs no words to tell them apart.

``reason_code`` of a run is the ``code`` of one of these errors, kept when the run ended by it.
"""

from app.runs.errors import (
    AlreadyApplied,
    AlreadyApproved,
    ApprovalExpired,
    ApprovalRulesMoved,
    ApprovalTakenBack,
    BackendMoved,
    EngineMoved,
    GuardRefused,
    IllegalTransition,
    NothingToApply,
    OutputsMoved,
    OverrideEnded,
    PlanAltered,
    PlanMoved,
    PlanTooOld,
    PoliciesMoved,
    QuorumLost,
    RightsMoved,
    RunCancelled,
    RunDiscarded,
    RunErrored,
    RunHalted,
    SpecMoved,
    StateMoved,
    VariablesMoved,
)
from app.runs.machine import Kind, Status, Trigger, refusal
from app.runs.models import TerraformRun

MOVED: dict[str, type[PlanMoved]] = {
    error.code: error
    for error in (
        ApprovalExpired,
        ApprovalRulesMoved,
        ApprovalTakenBack,
        BackendMoved,
        EngineMoved,
        OutputsMoved,
        OverrideEnded,
        PlanAltered,
        PlanMoved,
        PlanTooOld,
        PoliciesMoved,
        QuorumLost,
        RightsMoved,
        SpecMoved,
        StateMoved,
        VariablesMoved,
    )
}
"""Why a plan is stale or has lost what approved it, by code."""

_OVER: dict[Status, type[IllegalTransition]] = {
    Status.DISCARDED: RunDiscarded,
    Status.CANCELLED: RunCancelled,
    Status.ERRORED: RunErrored,
    Status.APPLIED: AlreadyApplied,
    Status.APPROVED: AlreadyApproved,
    Status.NO_CHANGES: NothingToApply,
}


REFUSALS: tuple[type[IllegalTransition], ...] = (
    IllegalTransition,
    GuardRefused,
    RunHalted,
    *_OVER.values(),
    *MOVED.values(),
)
"""All that ``refusal_of`` and the machine may refuse with."""


def refusal_of(run: TerraformRun, trigger: Trigger, verb: str) -> IllegalTransition:
    """Return the error that the run can't do what ``verb`` says where it is, with why it is there."""
    status = Status(run.status)
    plain = refusal(Kind(run.kind), status, trigger, verb)
    error = _error_of(run, status)
    why = f" {run.status_reason}" if run.status_reason and error is not None else ""
    return (error or IllegalTransition)(f"{plain.detail}{why}", **plain.fields)


def _error_of(run: TerraformRun, status: Status) -> type[IllegalTransition] | None:
    if status is Status.SUPERSEDED:
        return MOVED.get(run.reason_code or "", PlanMoved)
    return RunHalted if run.halted else _OVER.get(status)
