"""What an override of soft-mandatory policies does to a run: it opens the gate, and its end closes it again.

A run that awaits approval although a policy blocks it has a standing override; whatever ends that one sends the run
back, with its approvals void.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.approvals.schemas import OverriddenSet
from app.core.permissions import Actor, Permission
from app.fence import service as fence
from app.policy import service as policy
from app.policy.schemas import PolicyCheckOut
from app.runs import deciding, repository
from app.runs.errors import OverrideEnded, OverrideNotPossible, PolicyNotBlocking, SpeculativeNeverApplies
from app.runs.machine import FINAL, Facts, Status, Trigger
from app.runs.models import TerraformRun
from app.runs.refusing import refusal_of
from app.runs.rules import BLOCKED, denying
from app.runs.transition import transition
from app.workspaces import service as workspaces


def override(
    session: Session, actor: Actor, run_id: str, *, reason: str, expires_in_seconds: int | None, signed: str | None
) -> TerraformRun:
    """Let a plan await approval although soft-mandatory sets deny it, until the override expires.

    ``signed`` is the fingerprint that the actor read. Raises ``Halted``, ``IllegalTransition``, ``PolicyNotBlocking``,
    ``OverrideNotPossible``, ``PlanMoved``, and approvals' own errors (not a person, the requester, no reason, too long,
    another fingerprint).
    """
    seen = deciding.seen(session, actor, run_id)
    fence.hold_shared(session, seen.organization_id, seen.workspace_id)
    workspaces.lock_share(session, seen.workspace_id)
    run = deciding.locked(session, actor, run_id)
    _refuse_unless_blocked(run)
    workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    deciding.refuse_stale(session, run, workspace)
    failed = _overridable(run, policy.checks_of(session, [run.id]).get(run.id, []))
    recorded = approvals.record_override(
        session,
        actor,
        run_id=run.id,
        organization_id=run.organization_id,
        fingerprint=run.fingerprint or "",
        reason=reason,
        expires_in_seconds=expires_in_seconds,
        requested_by_id=run.requested_by_id,
        failed=failed,
        seen_fingerprint=signed,
    )
    run.was_overridden = True
    transition(
        session,
        run,
        Trigger.OVERRIDE,
        Facts(may_override=True, is_permitted=actor.may(Permission.RUNS_OVERRIDE)),
        actor=actor,
        reason=f"{actor.name} overrode its policies until {recorded.expires_at.isoformat(timespec='minutes')}.",
        evidence={"override_id": recorded.id, "fingerprint": run.fingerprint},
    )
    return run


def end(session: Session, run: TerraformRun, child: TerraformRun | None, reason: str) -> bool:
    """End the override of a locked run (and its locked apply); return whether one stood.

    A waiting run is blocked again and its approvals are void; an approved one whose apply is queued is superseded. An
    apply that has started verifies the override itself.
    """
    if not approvals.end_override(session, run.id, reason):
        return False
    if run.status == Status.AWAITING_APPROVAL:
        deciding.void_approvals(session, run, reason)
        if run.verdict in BLOCKED:
            transition(session, run, Trigger.REEVALUATE, Facts(is_blocked=True), reason=reason)
    elif run.status == Status.APPROVED and child is not None and child.status == Status.QUEUED:
        deciding.void_approvals(session, run, reason)
        deciding.supersede_locked(session, run, child, f"{reason} Plan again.", OverrideEnded.code)
    return True


def end_expired(session: Session, run_id: str) -> None:
    """End a run's override if it has expired; the sweep's part. Quiet when it was ended meanwhile."""
    run = repository.lock(session, run_id)
    standing = approvals.standing_override(session, run_id)
    if standing is None or not standing.has_expired:
        return
    if run is None or Status(run.status) in FINAL:
        approvals.end_override(session, run_id, "It expired after the run had ended.")
        return
    end(session, run, repository.lock_child_of(session, run_id), f"{standing.why_not}.")


def end_where_right_is_lost(session: Session, run: TerraformRun, child: TerraformRun | None) -> bool:
    """End the override of a locked run (and its locked apply) whose author may not override any more."""
    standing = approvals.standing_override(session, run.id)
    if standing is None or standing.why_not is None or standing.has_expired:
        return False
    return end(session, run, child, f"{standing.why_not}.")


def _refuse_unless_blocked(run: TerraformRun) -> None:
    if run.is_speculative:
        raise SpeculativeNeverApplies(
            "A speculative plan is never applied, so there is nothing to override: request a plan that waits at the "
            "gate."
        )
    if run.status in (Status.AWAITING_APPROVAL, Status.APPROVED):
        raise PolicyNotBlocking(f"No policy keeps run {run.id} back: it is {run.status.replace('_', ' ')}.")
    if run.status != Status.POLICY_BLOCKED:
        raise refusal_of(run, Trigger.OVERRIDE, "be overridden")


def _overridable(run: TerraformRun, checks: Sequence[PolicyCheckOut]) -> list[OverriddenSet]:
    """Return the sets that an override is about. Raises ``OverrideNotPossible``."""
    if run.verdict == "blocked_soft":
        return sorted(denying(checks), key=lambda item: (item.policy_set_uri, item.attachment_id))
    hard = sorted(
        {
            check.policy_set_uri
            for check in checks
            if check.outcome == "failed" and check.enforcement_level == "hard-mandatory"
        }
    )
    if hard:
        raise OverrideNotPossible(
            f"{', '.join(hard)} is hard-mandatory: nobody overrides it. Mend the configuration and plan again.",
            because="hard_mandatory",
            policy_set_uris=hard,
        )
    broken = sorted({check.policy_set_uri for check in checks if check.outcome == "error"})
    what = ", ".join(broken) or "A policy set"
    raise OverrideNotPossible(
        f"{what} could not be evaluated, and what nobody knows is not overridden: see its error, mend the policy set "
        "or the engine, and plan again.",
        because="not_evaluable",
        policy_set_uris=broken,
    )
