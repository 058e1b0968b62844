"""How runs end: verified, finished, failed, acknowledged, halted, expired, quiesced."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.core import clock
from app.core.jobs import enqueue
from app.core.settings import get_settings
from app.fence import service as fence
from app.fence.errors import Halted
from app.policy import service as policy
from app.runner.port import ApplyOutcome, Failure, ProofOfDeath, VerifyAnswer
from app.runs import deciding, fingerprint, migrating, repository
from app.runs.applies import VERIFIED
from app.runs.claiming import dispatch
from app.runs.closing import close, keep_failure
from app.runs.errors import OverrideEnded, PlanAltered, PoliciesMoved, QuorumLost
from app.runs.machine import FINAL, Facts, Status, Trigger
from app.runs.models import TerraformRun
from app.runs.rules import BLOCKED, override_holds
from app.runs.transition import end_parent, note, transition
from app.state import service as state
from app.workspaces import service as workspaces


def verify(session: Session, run_id: str, token: int, verdict: str, checked_bundles: str) -> VerifyAnswer:
    """Let an apply start, in the transaction that takes the state lock; else supersede it and its plan.

    What must hold: no fence, the fingerprint's parts as approved, the quorum with the deciders' present rights, and the
    policies, which were evaluated again just before (``verdict``) over ``checked_bundles``.
    """
    seen = repository.by_id(session, run_id)
    if seen is None or seen.fencing_token != token:
        return VerifyAnswer(may_apply=False, reason="the lease is lost")
    try:
        fence.hold_shared(session, seen.organization_id, seen.workspace_id)
    except Halted as halted:
        return VerifyAnswer(may_apply=False, reason=halted.detail)
    workspace = workspaces.get_locked(session, seen.workspace_id, exclusive=False)
    run, parent = repository.lock_with_parent(session, run_id)
    if run is None or parent is None or run.fencing_token != token or run.status != Status.RUNNING:
        return VerifyAnswer(may_apply=False, reason="the run is no longer running")
    if run.cancel_requested_at is not None:
        # Nothing has been applied, so nothing is left to wait for: the runner takes this answer for the run's end.
        _acknowledge(session, run, parent)
        return VerifyAnswer(may_apply=False, reason="cancel was requested")
    now = fingerprint.inputs_of(session, workspace)
    moved = fingerprint.moves(parent, now)
    if parent.fingerprint != run.fingerprint or not fingerprint.is_intact(parent):
        moved.append((PlanAltered.code, "the plan's fingerprint is not the one that was approved"))
    if now.policy_bundles != checked_bundles:
        moved.append((PoliciesMoved.code, "the policies changed while they were evaluated"))
    quorum = deciding.quorum_of(session, parent, workspace)
    reasons = list(moved)
    why_blocked = _why_blocked(session, run, parent, verdict)
    if why_blocked is not None:
        reasons.append((OverrideEnded.code if parent.was_overridden else PoliciesMoved.code, why_blocked))
    if not quorum.reached:
        reasons.append((QuorumLost.code, "the quorum no longer holds"))
    if reasons:
        text = " and ".join(words for _, words in reasons)
        facts = Facts(
            input_has_moved=bool(moved), is_blocked=why_blocked is not None, quorum_is_lost=not quorum.reached
        )
        supersede_apply(session, run, parent, facts, f"{text[0].upper()}{text[1:]}. Plan again.", reasons[0][0])
        return VerifyAnswer(may_apply=False, reason=text)
    state.lock(
        session,
        organization_id=run.organization_id,
        workspace_id=run.workspace_id,
        run_id=run.id,
        fencing_token=token,
        holder=run.requested_by,
        reason=f"apply of {parent.id}",
    )
    note(session, run, VERIFIED, {"fingerprint": parent.fingerprint, "have": quorum.have, "need": quorum.need})
    return VerifyAnswer(may_apply=True)


def _why_blocked(session: Session, run: TerraformRun, parent: TerraformRun, verdict: str) -> str | None:
    """Return, in words, why the policies that were just evaluated keep the apply from starting; None when they don't.

    What the plan's override names may deny still, and nothing else.
    """
    if verdict not in BLOCKED:
        return None
    standing = approvals.standing_override(session, parent.id)
    if verdict != "blocked_soft" or standing is None:
        return "a policy blocks it now"
    if standing.why_not is not None:
        return standing.why_not
    checks = policy.checks_of(session, [run.id]).get(run.id, [])
    is_lifted = override_holds(standing, parent.fingerprint, checks)
    return None if is_lifted else "a policy blocks it now that nobody overrode"


def supersede_apply(
    session: Session, run: TerraformRun, parent: TerraformRun | None, facts: Facts, reason: str, code: str
) -> None:
    """End an apply whose engine has not started because what was approved is not what is there."""
    transition(session, run, Trigger.STALE, facts, reason=reason, code=code)
    end_parent(session, parent, run)


def stale(session: Session, run_id: str, token: int, reason: str) -> None:
    """The runner found that the apply can't go on: the stored plan is not the approved one."""
    run, parent = _locked(session, run_id, token)
    if run is not None:
        if Status(run.status) in FINAL:
            note(session, run, Trigger.STALE.value, {"reason": reason})
            return
        supersede_apply(session, run, parent, Facts(input_has_moved=True), reason, PlanAltered.code)


def finish(session: Session, run_id: str, token: int, outcome: ApplyOutcome) -> None:
    """The engine exited 0 and its state is stored: applied, and so is its plan.

    A migration's workspace changes over in the same transaction, or, when the run had ended before, not at all.
    """
    seen = repository.by_id(session, run_id)
    moves_backend = seen is not None and "state_backend" in (seen.target or {})
    if seen is not None and moves_backend:
        workspaces.lock_exclusive(session, seen.workspace_id)
    run, parent = _locked(session, run_id, token)
    if run is None:
        return
    run.timings = [timing.model_dump(mode="json") for timing in outcome.timings]
    # The engine of a managed backend stored its state itself.
    stored = outcome.state_version_id or state.settle_snapshots(session, run_id)
    run.state_version_id = stored or run.state_version_id
    if Status(run.status) in FINAL:
        note(session, run, "work_completed", {"state_version_id": stored})
        return
    facts = Facts(engine_exited_zero=True, state_is_stored=True)
    evidence: dict[str, Any] = {"state_version_id": stored, "resources": outcome.resources_applied}
    if moves_backend:
        migrating.flip(session, run)
        evidence["target"] = run.target
        state_moved(session, run.workspace_id)
    transition(session, run, Trigger.FINISH, facts, evidence=evidence)
    end_parent(session, parent, run)


def fail(session: Session, run_id: str, token: int, failure: Failure) -> None:
    """End a running run as errored; on a final one keep the failure as evidence."""
    run, parent = _locked(session, run_id, token)
    if run is None:
        return
    _fail(session, run, parent, failure)


def _fail(session: Session, run: TerraformRun, parent: TerraformRun | None, failure: Failure) -> None:
    _keep_first_failure(run, failure)
    transition(session, run, Trigger.FAIL, Facts(), reason=failure.message[:500], evidence={"code": failure.code})
    end_parent(session, parent, run)


def _fail_where_it_was(session: Session, run: TerraformRun, parent: TerraformRun | None, code: str, text: str) -> None:
    phase = run.phase or "preparing"
    failure = Failure(phase=phase, code=code, message=text)  # type: ignore[arg-type]  # the column holds a Phase
    _fail(session, run, parent, failure)


def acknowledge(session: Session, run_id: str, token: int, failure: Failure | None) -> None:
    """The process of a cancelled run is gone and its state is stored."""
    run, parent = _locked(session, run_id, token)
    if run is None:
        return
    if failure is not None:
        _keep_first_failure(run, failure)
    _acknowledge(session, run, parent)


def _acknowledge(session: Session, run: TerraformRun, parent: TerraformRun | None) -> None:
    facts = Facts(cancel_was_requested=run.cancel_requested_at is not None, process_is_gone=True, state_is_stored=True)
    transition(session, run, Trigger.ACKNOWLEDGE_CANCEL, facts, reason=run.status_reason)
    end_parent(session, parent, run)


def _keep_first_failure(run: TerraformRun, failure: Failure) -> None:
    """Note why a run failed; what ended it first stays (the sweep's word, when the runner's comes late)."""
    if run.failure is None or Status(run.status) not in FINAL:
        keep_failure(run, failure)


def quiesce(session: Session, run_id: str, token: int, proof: ProofOfDeath) -> None:
    """The process is proven dead: release the state lock and let the next run in. Twice is once.

    A run that still counts as running ends here: its runner could not tell how it ended.
    """
    run, parent = _locked(session, run_id, token)
    if run is None:
        return
    if run.status == Status.RUNNING and run.cancel_requested_at is not None:
        _acknowledge(session, run, parent)
    elif run.status == Status.RUNNING:
        message = (
            "The run's process is gone, and its runner could not tell how it ended. The state that it stored is kept; "
            "plan again."
        )
        _fail_where_it_was(session, run, parent, "end_not_told", message)
    close(session, run, proof)
    state.unlock(session, run.workspace_id, run.id)
    dispatch(session, run.workspace_id)


def expire(session: Session, run_id: str) -> None:
    """End a running run whose lease ran out as errored; the sweep's part.

    Its fencing token rises, so that what its runner still sends is refused but for state and evidence. One lease and
    one grace period later it is presumed dead.
    """
    run, parent = repository.lock_with_parent(session, run_id)
    at = clock.now()
    if run is None or run.quiesced_at is not None or run.lease_expires_at is None or run.lease_expires_at >= at:
        return
    settings = get_settings()
    # A plan at the gate has done its work: only its death is left to be found.
    if run.status == Status.RUNNING:
        run.fencing_token += 1
        message = "The runner fell silent, so the run was ended. The last state snapshot is kept; plan again."
        _fail_where_it_was(session, run, parent, "lease_expired", message)
    if run.lease_expires_at + timedelta(seconds=settings.lease_seconds + settings.grace_seconds) >= at:
        return
    close(
        session,
        run,
        ProofOfDeath(
            kind="presumed_by_lease",
            at=at,
            detail="No heartbeat for a lease and a grace period after the lease ran out; nothing else proves it.",
        ),
    )
    state.mark_orphaned(session, run.workspace_id, run.id)
    dispatch(session, run.workspace_id)


def report_death(session: Session, run_id: str, token: int, proof: ProofOfDeath) -> None:
    """A supervisor died without ending its run, and who started it saw that, engine and all: end the run now.

    The lock stays, marked orphaned: the engine may have changed things that no state shows.
    """
    run, parent = _locked(session, run_id, token)
    if run is None or run.quiesced_at is not None:
        return
    if run.status == Status.RUNNING:
        message = "The run's supervisor died, and its engine with it. The last state snapshot is kept; plan again."
        _fail_where_it_was(session, run, parent, "supervisor_died", message)
    close(session, run, proof)
    if run.parent_run_id is not None:
        state.mark_orphaned(session, run.workspace_id, run.id)
    else:
        state.unlock(session, run.workspace_id, run.id)
    dispatch(session, run.workspace_id)


def state_moved(session: Session, workspace_id: str) -> None:
    """Say after commit that the workspace's state moved; waiting plans made from the old one are superseded then."""
    enqueue(session, deciding.SUPERSEDE_TASK, workspace_id)


def _locked(session: Session, run_id: str, token: int) -> tuple[TerraformRun | None, TerraformRun | None]:
    """Return (run, parent), locked; (None, None) when the run has quiesced or ``token`` was never its own.

    A token that the sweep has outdated still finds its run: that is final by then, so what comes is evidence.
    """
    run, parent = repository.lock_with_parent(session, run_id)
    if run is None or run.quiesced_at is not None:
        return None, None
    is_late = token < run.fencing_token and Status(run.status) in FINAL
    return (run, parent) if is_late or token == run.fencing_token else (None, None)
