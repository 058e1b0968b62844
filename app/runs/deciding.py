"""What people do with a plan at the gate: approve, reject, revoke, discard, apply, cancel."""

from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.approvals.schemas import DecisionKind, QuorumState
from app.core import clock
from app.core.permissions import Actor, Permission
from app.fence import service as fence
from app.runs import fingerprint, repository
from app.runs.claiming import dispatch
from app.runs.errors import (
    ApprovalExpired,
    ApprovalRequired,
    ApprovalsNotCounted,
    ApprovalsVoid,
    ApprovalTakenBack,
    OverrideExpired,
    PlanRejected,
    PlanTooOld,
    PoliciesMoved,
    PolicyBlocked,
    RunNotFound,
    SpeculativeNeverApplies,
)
from app.runs.machine import FINAL, VERBS, Facts, Kind, Status, Trigger
from app.runs.models import TerraformRun
from app.runs.refusing import MOVED, refusal_of
from app.runs.requesting import queue_apply
from app.runs.rules import BLOCKED, approval_rules, override_holds
from app.runs.transition import announce, end_parent, transition
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

SUPERSEDE_TASK = "runs.supersede_moved"


def approve(session: Session, actor: Actor, run_id: str, *, comment: str, signed: str | None) -> TerraformRun:
    """Record the actor's approval of exactly this plan; when it makes the quorum, queue the apply.

    ``signed`` is the fingerprint that the actor read. Raises ``Halted``, ``IllegalTransition`` (not at the gate),
    ``PolicyBlocked``, ``PlanMoved`` (an input or a policy moved), and approvals' own errors (self-approval, not in a
    team, not a person, another fingerprint), ``OverrideExpired``.
    """
    place = seen(session, actor, run_id)
    fence.hold_shared(session, place.organization_id, place.workspace_id)
    workspaces.lock_share(session, place.workspace_id)
    run = locked(session, actor, run_id)
    _at_the_gate(run)
    _refuse_without_override(session, run)
    workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    refuse_stale(session, run, workspace)
    rules = approval_rules(workspace, run)
    approvals.record_decision(
        session,
        actor,
        run_id=run.id,
        organization_id=run.organization_id,
        decision="approve",
        fingerprint=run.fingerprint or "",
        seen_fingerprint=signed,
        comment=comment,
        rules=rules,
        requested_by_id=run.requested_by_id,
    )
    quorum = quorum_of(session, run, workspace)
    if quorum.reached:
        facts = Facts(fence_is_clear=True, is_permitted=True, makes_quorum=True, fingerprint_is_current=True)
        transition(
            session,
            run,
            Trigger.APPROVE,
            facts,
            actor=actor,
            evidence={"fingerprint": run.fingerprint, "have": quorum.have, "need": quorum.need},
        )
        queue_apply(session, run)
    else:
        announce(session, run)
    return run


def disapprove(
    session: Session, actor: Actor, run_id: str, *, decision: DecisionKind, comment: str, signed: str | None
) -> TerraformRun:
    """Record a reject, or a revoke of the actor's earlier approval; decisions, not transitions.

    After the plan is approved, and while its apply is still queued, a lost quorum supersedes it.
    """
    place = seen(session, actor, run_id)
    workspaces.lock_share(session, place.workspace_id)
    run = locked(session, actor, run_id)
    if run.status not in (Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED, Status.APPROVED):
        # No transitions, but what ends the wait for an approval ends the wait for them.
        verb = "be rejected" if decision == "reject" else "lose an approval"
        raise refusal_of(run, Trigger.APPROVE, verb)
    child = repository.lock_child_of(session, run.id)
    workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    rules = approval_rules(workspace, run)
    approvals.record_decision(
        session,
        actor,
        run_id=run.id,
        organization_id=run.organization_id,
        decision=decision,
        fingerprint=run.fingerprint or "",
        seen_fingerprint=signed,
        comment=comment,
        rules=rules,
        requested_by_id=run.requested_by_id,
    )
    is_queued = run.status == Status.APPROVED and child is not None and child.status == Status.QUEUED
    if is_queued and not quorum_of(session, run, workspace).reached:
        reason = f"{actor.name} took the approval back, so the quorum no longer holds."
        supersede_locked(session, run, child, reason, ApprovalTakenBack.code)
        return run
    announce(session, run)
    return run


def discard(session: Session, actor: Actor, run_id: str, *, reason: str) -> TerraformRun:
    """Drop a plan at the gate, or an approved one whose apply is still queued."""
    run = locked(session, actor, run_id)
    child = repository.lock_child_of(session, run.id)
    is_queued = child is not None and child.status == Status.QUEUED
    facts = Facts(is_permitted=actor.may(Permission.RUNS_DISCARD), child_is_queued=is_queued)
    transition(session, run, Trigger.DISCARD, facts, actor=actor, reason=reason or None)
    if child is not None and is_queued:
        transition(
            session, child, Trigger.CANCEL, Facts(is_permitted=True), actor=actor, reason="Its plan was discarded."
        )
    dispatch(session, run.workspace_id)
    return run


def apply(session: Session, actor: Actor, run_id: str) -> TerraformRun:
    """Return the apply of an approved plan: the one that the approval queued, however often this is asked.

    Raises ``ApprovalRequired`` before the plan is approved.
    """
    run = seen(session, actor, run_id)
    if run.kind == Kind.APPLY:
        return run
    child = repository.child_of(session, run.id)
    if child is not None:
        return child
    if run.is_speculative:
        raise SpeculativeNeverApplies("A speculative plan is never applied: request a plan that waits at the gate.")
    if run.status in FINAL:
        raise refusal_of(run, Trigger.APPROVE, "be applied")
    if run.status == Status.POLICY_BLOCKED:
        raise PolicyBlocked("A policy blocks this plan, so it can't be applied.")
    raise _why_not_approved(session, run)


def _why_not_approved(session: Session, run: TerraformRun) -> ApprovalRequired:
    """Return the error that says what an apply waits for: someone's no, new approvals, or the first ones."""
    status = run.status.replace("_", " ")
    error, why = ApprovalRequired, "it is applied once the right people have approved it"
    workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    if run.status == Status.AWAITING_APPROVAL:
        quorum = quorum_of(session, run, workspace)
        given = [
            item for item in approvals.decisions_of(session, [run.id]).get(run.id, []) if item.decision == "approve"
        ]
        if quorum.rejected_by:
            said = " and ".join(quorum.rejections)
            error, why = PlanRejected, f"{said}, and while that stands nothing is applied"
        elif given and not quorum.have and all(item.voided_at is not None for item in given):
            error, why = ApprovalsVoid, f"its approvals are void: {given[-1].void_reason}"
        elif quorum.uncounted_ids:
            error, why = ApprovalsNotCounted, "; ".join(quorum.because)
    return error(f"Run {run.id} is {status}: {why}.", run_status=run.status)


def cancel(session: Session, actor: Actor, run_id: str, *, reason: str) -> TerraformRun:
    """Cancel what is queued, or ask what runs to stop (SIGINT, then SIGKILL after the grace period).

    Of an approved run its apply is meant. Asking again changes nothing. Raises ``RunNotFound``, and
    ``IllegalTransition`` for what is neither queued nor running.
    """
    asked = seen(session, actor, run_id)
    target = asked
    if asked.status == Status.APPROVED:
        target = repository.child_of(session, asked.id) or asked
    run, parent = repository.lock_with_parent(session, target.id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    permitted = Facts(
        is_permitted=actor.may(Permission.RUNS_CANCEL), cancel_was_requested=run.cancel_requested_at is not None
    )
    why = reason or f"Cancelled by {actor.name}."
    if run.status == Status.QUEUED:
        transition(session, run, Trigger.CANCEL, permitted, actor=actor, reason=why)
        end_parent(session, parent, run)
        dispatch(session, run.workspace_id)
    elif run.status == Status.RUNNING and run.cancel_requested_at is not None:
        return asked
    else:
        transition(session, run, Trigger.REQUEST_CANCEL, permitted, actor=actor, reason=why)
        run.cancel_requested_at = clock.now()
        run.cancel_requested_by = actor.describe()
    session.flush()
    return asked


def supersede_locked(session: Session, run: TerraformRun, child: TerraformRun | None, reason: str, code: str) -> None:
    """Supersede a run at the gate because an input moved or the quorum is lost, with its queued apply; both locked.

    Leaves a run alone whose apply has started: the apply's own verification decides there.
    """
    is_queued = child is not None and child.status == Status.QUEUED
    if run.status == Status.APPROVED and not is_queued:
        return
    facts = Facts(input_has_moved=True, quorum_is_lost=True, child_is_queued=is_queued)
    transition(session, run, Trigger.SUPERSEDE, facts, reason=reason, code=code)
    if child is not None and is_queued:
        transition(session, child, Trigger.CANCEL, Facts(is_permitted=True), reason="Its plan was superseded.")
    dispatch(session, run.workspace_id)


def supersede_moved(session: Session, workspace_id: str) -> None:
    """Supersede every run of the workspace at the gate whose inputs moved.

    The exclusive lock waits for a plan that settles meanwhile by what was true before.
    """
    workspaces.lock_exclusive(session, workspace_id)
    waiting = repository.waiting_in_workspace(session, workspace_id)
    workspace = workspaces.get_many(session, [workspace_id]).get(workspace_id) if waiting else None
    if workspace is None:
        return
    now = fingerprint.inputs_of(session, workspace)
    for run_id in waiting:
        run = repository.lock(session, run_id)
        if run is None or Status(run.status) in FINAL:
            continue
        child = repository.lock_child_of(session, run.id)
        moved = fingerprint.moves(run, now)
        if moved:
            supersede_locked(session, run, child, f"{_sentence(moved)} Plan again.", moved[0][0])


def supersede_outdated(session: Session, run_id: str) -> None:
    """Supersede a plan at the gate that is older than its workspace allows; quiet when it has left the gate."""
    run = repository.lock(session, run_id)
    if run is None or run.status not in (Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED):
        return
    reason = "The plan is older than the workspace allows. Plan again."
    supersede_locked(session, run, None, reason, PlanTooOld.code)


def void_expired(session: Session, run_id: str) -> None:
    """Void the approvals of a plan at the gate that are older than its workspace lets them count.

    An approved plan whose quorum is lost so, while its apply is queued, is superseded. Quiet when it has left the gate.
    """
    seen = repository.by_id(session, run_id)
    if seen is None:
        return
    workspace = workspaces.get_locked(session, seen.workspace_id, exclusive=False)
    run = repository.lock(session, run_id)
    if run is None or Status(run.status) in FINAL:
        return
    child = repository.lock_child_of(session, run.id)
    if run.status == Status.APPROVED and (child is None or child.status != Status.QUEUED):
        return
    if not approvals.void_expired(session, run_id, approval_rules(workspace, run)):
        return
    if run.status == Status.APPROVED and not quorum_of(session, run, workspace).reached:
        reason = "An approval ran out before the apply began, so the quorum no longer holds. Plan again."
        supersede_locked(session, run, child, reason, ApprovalExpired.code)
    else:
        announce(session, run, "An approval ran out.")


def quorum_of(session: Session, run: TerraformRun, workspace: WorkspaceOut) -> QuorumState:
    """Return how the decisions on a plan count now, by the workspace's rules and the deciders' present rights."""
    return approvals.quorum_of(
        session,
        run_id=run.id,
        fingerprint=run.fingerprint or "",
        rules=approval_rules(workspace, run),
        requested_by_id=run.requested_by_id,
        organization_id=run.organization_id,
    )


def void_approvals(session: Session, run: TerraformRun, reason: str) -> None:
    """Void what was decided on a run at the gate, because what judges it changed; the plan itself stays current."""
    if approvals.void_all(session, run.id, reason):
        announce(session, run, reason)


def _sentence(moved: list[tuple[str, str]]) -> str:
    text = " and ".join(words for _, words in moved)
    return f"{text[0].upper()}{text[1:]} since it was planned."


def seen(session: Session, actor: Actor, run_id: str) -> TerraformRun:
    """Return a run of the actor's organization, unlocked. Raises ``RunNotFound``."""
    run = repository.get(session, actor.organization_id, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


def locked(session: Session, actor: Actor, run_id: str) -> TerraformRun:
    """Return a run of the actor's organization, its row locked. Raises ``RunNotFound``."""
    seen(session, actor, run_id)
    run = repository.lock(session, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


def _at_the_gate(run: TerraformRun) -> None:
    """Refuse with the fitting error unless the run awaits approval."""
    if run.is_speculative:
        raise SpeculativeNeverApplies("A speculative plan can't be approved: request a plan that waits at the gate.")
    if run.status == Status.POLICY_BLOCKED:
        raise PolicyBlocked("A policy blocks this plan: see its findings, mend the configuration, and plan again.")
    if run.status != Status.AWAITING_APPROVAL:
        raise refusal_of(run, Trigger.APPROVE, VERBS[Trigger.APPROVE])


def _refuse_without_override(session: Session, run: TerraformRun) -> None:
    """Refuse a blocked plan whose override has run out, though no sweep has sent the run back yet."""
    if run.verdict not in BLOCKED:
        return
    standing = approvals.standing_override(session, run.id)
    if not override_holds(standing, run.fingerprint):
        why = standing.why_not if standing is not None and standing.why_not is not None else "Its override has ended"
        raise OverrideExpired(f"{why}, so the policies block this plan again. Someone who may can override them anew.")


def refuse_stale(session: Session, run: TerraformRun, workspace: WorkspaceOut) -> None:
    """Raise ``PlanMoved`` when an input or a policy is no longer what the plan was made from or judged by."""
    now = fingerprint.inputs_of(session, workspace)
    moved = fingerprint.moves(run, now)
    if moved:
        raise MOVED[moved[0][0]](f"{_sentence(moved)} Plan again.", moved=[code for code, _ in moved])
    if "policy_bundles" in fingerprint.moved_parts(run, now):
        raise PoliciesMoved(
            "The policies of this workspace changed; they are being evaluated again. Look again in a moment."
        )
