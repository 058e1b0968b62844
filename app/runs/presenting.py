"""Runs as people and programs see them: rows of several slices put together, a page at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.approvals.schemas import ApprovalRules, OverrideOut, QuorumQuestion, QuorumState
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.permissions import Actor, Permission
from app.policy import service as policy
from app.policy.schemas import PolicyCheckOut
from app.runs import deciding, fingerprint, kept_plans, queueing, repository
from app.runs.machine import Kind, Status
from app.runs.models import RunEvidence, TerraformRun
from app.runs.queue_schemas import QueuePlace
from app.runs.rules import approval_rules
from app.runs.schemas import (
    Action,
    ApprovalsOut,
    ConfigurationRef,
    FailureOut,
    FingerprintOut,
    FingerprintPart,
    Named,
    QuorumShort,
    RunListItem,
    RunOut,
    RunTarget,
    SpecVersionRef,
    StateVersionRef,
    Summary,
    Timing,
    Timings,
    Who,
    WorkspaceRef,
    You,
)
from app.runs.telling import run_url
from app.specs import service as specs
from app.specs.schemas import SpecVersionOut
from app.state import service as state
from app.state.schemas import UpstreamOutput
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

GATE = frozenset({Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED, Status.APPROVED})


def list_items(session: Session, runs: Sequence[TerraformRun]) -> list[RunListItem]:
    """Present a page of runs, in a number of queries that does not grow with it."""
    if not runs:
        return []
    spaces = workspaces.get_many(session, sorted({run.workspace_id for run in runs}))
    versions = specs.version_refs(session, sorted({run.spec_version_id for run in runs}))
    children = repository.children_of(session, [run.id for run in runs])
    quorums = _quorums(session, runs, spaces)
    places = queueing.places(session, runs[0].organization_id, runs)
    return [
        _item(
            run,
            spaces[run.workspace_id],
            versions[run.spec_version_id],
            children.get(run.id),
            quorums.get(run.id),
            places.get(run.id),
        )
        for run in runs
    ]


def _item(
    run: TerraformRun,
    workspace: WorkspaceOut,
    version: Any,
    child: TerraformRun | None,
    quorum: QuorumState | None,
    place: QueuePlace | None,
) -> RunListItem:
    return RunListItem(
        id=run.id,
        kind=Kind(run.kind),
        status=Status(run.status),
        phase=run.phase,
        is_speculative=run.is_speculative,
        message=run.message,
        workspace=WorkspaceRef(id=workspace.id, name=workspace.name, tags=workspace.tags),
        stack=Named(id=workspace.stack.id, name=workspace.stack.name),
        spec_version=SpecVersionRef(id=version.id, number=version.number, hash=version.hash),
        source=run.source,  # type: ignore[arg-type]  # the column holds a RunSource
        requested_by=Who.model_validate(run.requested_by),
        created_at=run.created_at,
        planned_at=run.planned_at,
        finished_at=run.finished_at,
        summary=Summary.model_validate(run.counts) if run.counts is not None else None,
        has_changes=run.has_changes,
        verdict=run.verdict,  # type: ignore[arg-type]  # the column holds a Verdict
        approvals=QuorumShort(have=quorum.have, need=quorum.need) if quorum is not None else None,
        halted=run.halted,
        was_overridden=run.was_overridden,
        status_reason=run.status_reason,
        reason_code=run.reason_code,
        queue=place,
        parent_run_id=run.parent_run_id,
        child_run_id=child.id if child is not None else None,
        url=run_url(run),
    )


def _quorums(session: Session, runs: Sequence[TerraformRun], spaces: dict[str, WorkspaceOut]) -> dict[str, QuorumState]:
    at_gate = [run for run in runs if Status(run.status) in GATE and run.fingerprint is not None]
    if not at_gate:
        return {}
    questions = [
        QuorumQuestion(
            run_id=run.id,
            fingerprint=run.fingerprint,
            rules=approval_rules(spaces[run.workspace_id], run),
            requested_by_id=run.requested_by_id,
        )
        for run in at_gate
    ]
    return approvals.quorums_of(session, at_gate[0].organization_id, questions)


def detail(
    session: Session,
    actor: Actor,
    run: TerraformRun,
    workspace: WorkspaceOut | None = None,
) -> RunOut:
    """Present one run in full, for this actor; its ``workspace`` is read unless the caller has it."""
    if workspace is None:
        workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    version = specs.version(session, run.organization_id, run.spec_version_id)
    place = queueing.places(session, run.organization_id, [run]).get(run.id)
    evidence = repository.evidence_of(session, run.id)
    return _detail(session, actor, run, workspace, version, place, evidence)


def detail_of_new(
    session: Session, actor: Actor, run: TerraformRun, workspace: WorkspaceOut, version: SpecVersionOut
) -> RunOut:
    """Present a run that this transaction has queued: nothing has happened to it yet.

    Its place in the queue is left out, since the answer should not wait for it.
    """
    return _detail(session, actor, run, workspace, version, None, ())


def _detail(
    session: Session,
    actor: Actor,
    run: TerraformRun,
    workspace: WorkspaceOut,
    version: SpecVersionOut,
    place: QueuePlace | None,
    evidence: Sequence[RunEvidence],
) -> RunOut:
    was_claimed = run.claimed_at is not None
    child = repository.child_of(session, run.id) if was_claimed else None
    checks = policy.checks_of(session, [run.id]).get(run.id, []) if was_claimed else []
    has_plan = run.fingerprint is not None and run.kind != Kind.APPLY and not run.is_speculative
    quorum = deciding.quorum_of(session, run, workspace) if has_plan else None
    item = _item(run, workspace, version, child, quorum if Status(run.status) in GATE else None, place)
    sensitive = workspaces.sensitive_version_ids(session, run.workspace_id) if run.variable_version_ids else set()
    labels = _labels(run, item, len(sensitive & set(run.variable_version_ids)), checks)
    signed = _fingerprint(session, run, workspace, labels) if has_plan else None
    held = state.held_lock(session, run.workspace_id)
    stored = state.by_id(session, run.organization_id, run.state_version_id) if run.state_version_id else None
    return RunOut(
        **item.model_dump(),
        configuration=ConfigurationRef(id=run.configuration_id, digest=run.configuration_digest),
        target=RunTarget.model_validate(run.target) if run.target is not None else None,
        engine=run.engine,
        variable_count=len(run.variable_version_ids),
        sensitive_variable_count=len(sensitive & set(run.variable_version_ids)),
        upstream_outputs=[UpstreamOutput.model_validate(pin) for pin in run.upstream_outputs or []],
        experiment_id=run.experiment_id,
        test_id=run.test_id,
        output_changes=run.output_changes,
        drift_count=run.drift_count,
        timings=_timings(run),
        failure=FailureOut.model_validate(run.failure) if run.failure is not None else None,
        fingerprint=signed,
        policy_checks=checks,
        approvals_detail=_approvals(session, actor, run, workspace, quorum) if quorum is not None else None,
        overrides=_overrides(session, run),
        allowed_actions=_allowed(actor, run, child, quorum),
        lock=held,
        state_version=StateVersionRef(id=stored.id, number=stored.number, serial=stored.serial) if stored else None,
        child=list_items(session, [child])[0] if child is not None else None,
        cancel_requested_at=run.cancel_requested_at,
        halt_id=run.halt_id,
        claimed_by=run.claimed_by,
        claimed_at=run.claimed_at,
        quiesced_at=run.quiesced_at,
        artifacts_removed_at=run.artifacts_removed_at,
        proof_of_death=run.proof_of_death,
        evidence=[{"kind": noted.kind, "at": noted.created_at, "data": noted.data} for noted in evidence],
    )


def plan_view(session: Session, actor: Actor, run_id: str) -> bytes:
    """Return the stored plan view (JSON) of a run, or of the plan that an apply applies.

    Raises ``RunNotFound``, also while there is no plan yet, and ``PlanRemoved`` when the run is too old.
    """
    run = kept_plans.run_with(session, actor.organization_id, run_id, "plan_view")
    return artifact_store().get(ArtifactRef.model_validate(run.artifacts["plan_view"]))


def _timings(run: TerraformRun) -> Timings:
    until = run.planned_at or run.finished_at
    return Timings(
        phases=[Timing.model_validate(item) for item in run.timings],
        queued_seconds=_seconds(run.created_at, run.claimed_at),
        total_seconds=_seconds(run.created_at, until),
    )


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 4) if end is not None else None


def _labels(
    run: TerraformRun, item: RunListItem, sensitive_count: int, checks: Sequence[PolicyCheckOut]
) -> dict[str, str]:
    """Return the parts' names with what a person knows them by."""
    number = item.spec_version.number
    count = len(run.variable_version_ids)
    details = {
        "spec": f"{item.stack.name} v{number}" if number is not None else f"{item.stack.name}, of its own",
        "variables": f"{count}, {sensitive_count} sensitive" if sensitive_count else str(count),
        "outputs": str(len(run.upstream_outputs or [])),
        "state": f"serial {run.state_serial}" if run.state_lineage is not None else "none yet",
        "policy_bundles": str(len({check.bundle_digest for check in checks})),
    }
    return {
        name: f"{label} {details[name]}" if name in details else label for name, label in fingerprint.LABELS.items()
    }


def _fingerprint(
    session: Session, run: TerraformRun, workspace: WorkspaceOut, labels: dict[str, str]
) -> FingerprintOut:
    waits = Status(run.status) in GATE
    moved = fingerprint.moved_parts(run, fingerprint.inputs_of(session, workspace)) if waits else set()
    parts = run.fingerprint_parts or {}
    age = workspace.plan_max_age_seconds
    return FingerprintOut(
        digest=run.fingerprint or "",
        parts=[
            FingerprintPart(name=name, label=label, digest=parts.get(name, ""), moved=name in moved)
            for name, label in labels.items()
            if name in parts
        ],
        is_current=waits and not moved,
        expires_at=run.planned_at + timedelta(seconds=age) if age is not None and run.planned_at is not None else None,
    )


def _approvals(
    session: Session, actor: Actor, run: TerraformRun, workspace: WorkspaceOut, quorum: QuorumState
) -> ApprovalsOut:
    rules = approval_rules(workspace, run)
    decisions = approvals.decisions_of(session, [run.id], rules).get(run.id, [])
    why_not = approvals.may_decide(
        session,
        actor,
        organization_id=run.organization_id,
        rules=rules,
        requested_by_id=run.requested_by_id,
    )
    if why_not is None and Status(run.status) not in GATE:
        why_not = f"The run has ended: {run.status.replace('_', ' ')}."
    own = approvals.standing_decision(decisions, actor.id, run.fingerprint)
    why_not_override = _why_not_override(session, actor, run)
    return ApprovalsOut(
        have=quorum.have,
        need=quorum.need,
        because=list(quorum.because),
        rejected_by=list(quorum.rejected_by),
        four_eyes=not workspace.requester_may_approve,
        decisions=decisions,
        you=You(
            may_decide=why_not is None,
            why_not=why_not,
            decision=own.decision if own is not None else None,
            may_override=why_not_override is None,
            why_not_override=why_not_override,
        ),
    )


def _overrides(session: Session, run: TerraformRun) -> list[OverrideOut]:
    plan_id = run.parent_run_id or run.id
    return approvals.overrides_of(session, [plan_id]).get(plan_id, []) if run.was_overridden else []


def _why_not_override(session: Session, actor: Actor, run: TerraformRun) -> str | None:
    if run.status != Status.POLICY_BLOCKED:
        return f"No policy keeps the run back: it is {run.status.replace('_', ' ')}."
    if run.verdict != "blocked_soft":
        return "Only soft-mandatory policies can be overridden, and only when all of them could be evaluated."
    return approvals.may_override(
        session, actor, organization_id=run.organization_id, requested_by_id=run.requested_by_id
    )


def why_nots(session: Session, actor: Actor, runs: Sequence[TerraformRun]) -> dict[str, str | None]:
    """Return by run id why the actor's decision would not count; None where it would.

    Asked once for each set of rules, since most workspaces have the same.
    """
    spaces = workspaces.get_many(session, sorted({run.workspace_id for run in runs}))
    known: dict[tuple[ApprovalRules, str, bool], str | None] = {}
    answers: dict[str, str | None] = {}
    for run in runs:
        question = (approval_rules(spaces[run.workspace_id], run), run.organization_id, run.requested_by_id == actor.id)
        if question not in known:
            known[question] = approvals.may_decide(
                session,
                actor,
                organization_id=run.organization_id,
                rules=question[0],
                requested_by_id=run.requested_by_id,
            )
        answers[run.id] = known[question]
    return answers


def _allowed(actor: Actor, run: TerraformRun, child: TerraformRun | None, quorum: QuorumState | None) -> list[Action]:
    status = Status(run.status)
    child_is_queued = child is not None and child.status == Status.QUEUED
    actions: list[Action] = []
    if actor.may(Permission.RUNS_APPROVE) and quorum is not None:
        if status is Status.AWAITING_APPROVAL:
            actions += ["approve"]
        if status in GATE and (status is not Status.APPROVED or child_is_queued):
            actions += ["reject", "revoke"]
    is_overridable = status is Status.POLICY_BLOCKED and run.verdict == "blocked_soft"
    if is_overridable and actor.may(Permission.RUNS_OVERRIDE) and actor.id != run.requested_by_id:
        actions += ["override"]
    if actor.may(Permission.RUNS_DISCARD) and (status in GATE - {Status.APPROVED} or child_is_queued):
        actions += ["discard"]
    if actor.may(Permission.RUNS_CANCEL) and (
        status in {Status.QUEUED, Status.RUNNING} or (status is Status.APPROVED and child is not None)
    ):
        actions += ["cancel"]
    return actions
