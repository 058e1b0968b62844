"""A plan settles: policies judge it, the fingerprint is taken, and it goes to the gate or to its end."""

import json
from typing import Any

from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.core import clock
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import unit_of_work
from app.core.jobs import enqueue
from app.fence import service as fence
from app.fence.errors import Halted
from app.policy import service as policy
from app.policy.schemas import CheckReport, PinnedAttachment, Stage
from app.runner.port import CheckAnswer, PlanOutcome, SettleAnswer
from app.runs import deciding, fingerprint, repository
from app.runs.machine import FINAL, Facts, Status, Trigger
from app.runs.models import TerraformRun
from app.runs.policy_input import context_of
from app.runs.requesting import queue_apply
from app.runs.rules import BLOCKED, approval_rules, override_holds
from app.runs.transition import announce, note, transition
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

REEVALUATE_TASK = "runs.reevaluate"
WAITING = (Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED)


def check_plan(run_id: str, plan_json: ArtifactRef, *, stage: Stage) -> CheckAnswer:
    """Evaluate the policies of a run's workspace over its stored plan document, and keep the results.

    Opens its own transactions and holds none while an engine evaluates. Raises ``ValueError`` when the run is gone.
    """
    with unit_of_work() as session:
        run = repository.by_id(session, run_id)
        if run is None:
            raise ValueError(f"run {run_id} is gone")
        pinned, context = _policy_input(session, run)
        if not pinned:
            return _keep_report(session, run, stage, policy.check([], {}))
    report = evaluate(pinned, plan_json, context)
    with unit_of_work() as session:
        return _keep_report(session, run, stage, report)


def _keep_report(session: Session, run: TerraformRun, stage: Stage, report: CheckReport) -> CheckAnswer:
    policy.store_checks(session, run.organization_id, run.id, stage, report)
    repository.keep_verdict(session, run.id, report.verdict)
    return CheckAnswer(verdict=report.verdict, failed=report.failed, summary=report.summary)


def evaluate(pinned: list[PinnedAttachment], plan_json: ArtifactRef, context: dict[str, Any]) -> CheckReport:
    """Evaluate without a session. No policy attached costs nothing."""
    if not pinned:
        return policy.check([], {})
    document = json.loads(artifact_store().get(plan_json))
    return policy.check(pinned, policy.build_input(document, **context))


def _policy_input(session: Session, run: TerraformRun) -> tuple[list[PinnedAttachment], dict[str, Any]]:
    workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    pinned = policy.attachments_for(
        session, organization_id=run.organization_id, workspace_id=run.workspace_id, tags=workspace.tags
    )
    if not pinned:
        return [], {}
    newest = state.current(session, run.workspace_id)
    return pinned, context_of(session, run, workspace, newest, clock.now())


def settle(session: Session, run_id: str, token: int, outcome: PlanOutcome) -> SettleAnswer:
    """End a running plan by the machine.

    On a run that is final already (halted, cancelled, expired) the outcome is kept as evidence. An automatic approval
    happens in the same transaction.
    """
    seen = repository.place_of(session, run_id)
    if seen is None:
        return SettleAnswer(status="cancelled", reason="the run is gone")
    may_start = _fence_is_clear(session, seen)
    workspace = workspaces.get_locked(session, seen.workspace_id, exclusive=False)
    run = repository.lock(session, run_id)
    if run is None or run.quiesced_at is not None:
        return SettleAnswer(status=seen.status, reason="the lease is lost")
    if Status(run.status) in FINAL:
        note(session, run, Trigger.SETTLE.value, {"has_changes": outcome.has_changes})
        return SettleAnswer(status=run.status, reason=run.status_reason)
    if run.fencing_token != token:
        return SettleAnswer(status=run.status, reason="the lease is lost")
    # Read before the row changes: what is read after would write the changes first, and then once more.
    now = fingerprint.inputs_of(session, workspace)
    checks = policy.checks_of(session, [run.id]).get(run.id, []) if run.verdict is not None else []
    _keep(run, outcome)
    if not workspace.is_state_here and not run.is_speculative:
        # Only the runner can see what lies there; what it read is what the plan was made from.
        run.state_lineage, run.state_serial = outcome.state_lineage, outcome.state_serial
    moved = fingerprint.moves(run, now)
    run.fingerprint_parts = fingerprint.parts_of(
        run,
        policy_bundles=fingerprint.checked_bundles_digest(checks),
        policy_results=policy.results_digest(checks),
    )
    run.fingerprint = fingerprint.fingerprint(run.fingerprint_parts)
    if run.verdict is None and now.policy_bundles == fingerprint.NO_BUNDLES:
        run.verdict = "passed"
    facts = Facts(
        cancel_was_requested=run.cancel_requested_at is not None,
        is_speculative=run.is_speculative,
        input_has_moved=bool(moved),
        is_blocked=run.verdict is None or run.verdict in BLOCKED,
        has_changes=outcome.has_changes,
    )
    decision = transition(
        session,
        run,
        Trigger.SETTLE,
        facts,
        reason=f"While it was planned, {' and '.join(words for _, words in moved)}. Plan again." if moved else None,
        code=moved[0][0] if moved else None,
        evidence={"fingerprint": run.fingerprint, "verdict": run.verdict},
    )
    if now.policy_bundles != run.fingerprint_parts["policy_bundles"]:
        enqueue(session, REEVALUATE_TASK, run.id)
    elif decision.status is Status.AWAITING_APPROVAL and may_start:
        _approve_by_rule(session, run, workspace)
    return SettleAnswer(status=run.status, reason=run.status_reason)


def _fence_is_clear(session: Session, place: repository.RunScope) -> bool:
    try:
        fence.hold_shared(session, place.organization_id, place.workspace_id)
    except Halted:
        return False
    return True


def _keep(run: TerraformRun, outcome: PlanOutcome) -> None:
    run.engine = outcome.engine.model_dump()
    run.has_changes = outcome.has_changes
    run.counts = outcome.counts.model_dump(by_alias=True)
    run.changed_tags = outcome.changed_tags.model_dump() if outcome.changed_tags is not None else None
    run.output_changes = outcome.output_changes
    run.drift_count = outcome.drift_count
    run.working_directory = outcome.working_directory
    run.timings = [timing.model_dump(mode="json") for timing in outcome.timings]
    run.planned_at = clock.now()
    named = {
        "plan_file": outcome.plan_file,
        "plan_json": outcome.plan_json,
        "plan_view": outcome.plan_view,
        "lock_file": outcome.lock_file,
        "side_files": outcome.side_files,
    }
    run.artifacts = {name: reference.model_dump() for name, reference in named.items() if reference is not None}


def _approve_by_rule(session: Session, run: TerraformRun, workspace: WorkspaceOut) -> None:
    """Approve at once where the workspace's rule allows it: `approval_rules` says where."""
    if not approval_rules(workspace, run).allows_automatic:
        return
    approvals.record_automatic_approval(
        session,
        run_id=run.id,
        organization_id=run.organization_id,
        fingerprint=run.fingerprint or "",
        reason="The workspace applies by itself what passes its policies.",
    )
    facts = Facts(fence_is_clear=True, rule_allows_auto_apply=True, fingerprint_is_current=True)
    transition(session, run, Trigger.AUTO_APPROVE, facts, evidence={"fingerprint": run.fingerprint})
    queue_apply(session, run)


def reevaluate_moved(session: Session, workspace_id: str) -> None:
    """Have those that wait in the workspace evaluated again whose policies are no longer what judged them."""
    workspace = workspaces.get_many(session, [workspace_id]).get(workspace_id)
    if workspace is None:
        return
    now = fingerprint.inputs_of(session, workspace)
    for run_id in repository.waiting_in_workspace(session, workspace_id):
        run = repository.by_id(session, run_id)
        if run is not None and run.status in WAITING and "policy_bundles" in fingerprint.moved_parts(run, now):
            enqueue(session, REEVALUATE_TASK, run_id)


def reevaluate(run_id: str) -> None:
    """Evaluate a waiting run's policies again after they changed; its approvals were voided by then.

    Returns quietly when the run no longer waits. The new results give a new fingerprint to approve.
    """
    with unit_of_work() as session:
        run = repository.by_id(session, run_id)
        if run is None or run.status not in WAITING:
            return
        pinned, context = _policy_input(session, run)
        plan_json = ArtifactRef.model_validate(run.artifacts["plan_json"])
    report = evaluate(pinned, plan_json, context)
    with unit_of_work() as session:
        workspaces.lock_share(session, run.workspace_id)
        locked = repository.lock(session, run_id)
        if locked is None or locked.status not in WAITING:
            return
        workspace = workspaces.get(session, locked.organization_id, locked.workspace_id)
        evaluated = fingerprint.bundles_digest_of(pinned)
        if evaluated != fingerprint.bundles_digest(session, workspace.organization_id, workspace.id, workspace.tags):
            # They moved again meanwhile: results of what was attached before must not come last.
            enqueue(session, REEVALUATE_TASK, run_id)
            return
        policy.store_checks(session, locked.organization_id, run_id, "plan", report)
        locked.verdict = report.verdict
        locked.fingerprint_parts = {
            **(locked.fingerprint_parts or {}),
            "policy_bundles": evaluated,
            "policy_results": policy.results_digest(policy.checks_of(session, [run_id]).get(run_id, [])),
        }
        locked.fingerprint = fingerprint.fingerprint(locked.fingerprint_parts)
        why = f"Policies of {workspace.name} changed and were evaluated again."
        standing = approvals.standing_override(session, run_id)
        is_lifted = override_holds(standing, locked.fingerprint)
        if standing is not None and not is_lifted:
            approvals.end_override(session, run_id, why)
            deciding.void_approvals(session, locked, why)
        is_blocked = locked.verdict in BLOCKED and not is_lifted
        if is_blocked == (Status(locked.status) is Status.POLICY_BLOCKED):
            announce(session, locked)
            return
        transition(session, locked, Trigger.REEVALUATE, Facts(is_blocked=is_blocked), reason=why)
