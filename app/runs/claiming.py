"""Claiming a queued run, and the whole job that a runner gets for it."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.codegen import service as codegen
from app.configurations import service as configurations
from app.core import clock
from app.core.artifacts import ArtifactRef
from app.core.errors import AppError
from app.core.jobs import enqueue
from app.core.settings import get_settings
from app.fence import service as fence
from app.fence.errors import Halted
from app.runner.port import (
    EngineInfo,
    EngineRequest,
    Failure,
    JobBackend,
    JobVariable,
    ProofOfDeath,
    RunnerJob,
    WorkerInfo,
)
from app.runs import fingerprint, queue_repository, repository
from app.runs.closing import close, keep_failure
from app.runs.errors import GuardRefused
from app.runs.machine import MOVES, Facts, Kind, Status, Trigger
from app.runs.models import TerraformRun
from app.runs.queue_repository import Candidate
from app.runs.requesting import EXECUTE_TASK
from app.runs.rules import effective_limit
from app.runs.transition import end_parent, transition
from app.specs import service as specs
from app.specs.schemas import TerraformStackSpec, root_directory
from app.state import service as state
from app.state.schemas import CurrentState
from app.workspaces import service as workspaces
from app.workspaces.schemas import ResolvedVariable, WorkspaceOut


def claim(session: Session, run_id: str, worker: WorkerInfo) -> RunnerJob | None:
    """Claim the run and return its job.

    None when it is no longer queued, not in turn, or a fence stands: the message was a duplicate or early, and the
    loser goes away quietly. Two claims in one workspace are decided by the workspace's row lock, then by the partial
    unique index on its running run; two in an organization with a limit by the lock on its line.
    """
    seen = repository.by_id(session, run_id)
    if seen is None or seen.status != Status.QUEUED:
        return None
    return _claim(session, Candidate(run_id, seen.organization_id, seen.workspace_id, seen.parent_run_id), worker)


def claim_next(session: Session, worker: WorkerInfo, tried: Collection[str]) -> tuple[str | None, RunnerJob | None]:
    """Claim the run that goes first of those that nobody else is claiming; return its id and its job.

    The id is None when no run may start, those already ``tried`` aside; the job alone is None when the run was lost
    meanwhile: try again without it.
    """
    found = queue_repository.first_in_line(session, get_settings().organization_concurrency, tried)
    return (found.run_id, _claim(session, found, worker)) if found is not None else (None, None)


def _claim(session: Session, seen: Candidate, worker: WorkerInfo) -> RunnerJob | None:
    try:
        fence.hold_shared(session, seen.organization_id, seen.workspace_id)
    except Halted:
        return None
    workspace = workspaces.get_locked(session, seen.workspace_id, exclusive=True)
    run, parent, own_limit, next_id = queue_repository.lock_for_claim(session, seen)
    if run is None or run.status != Status.QUEUED:
        return None
    in_turn = run.is_speculative or next_id == run.id
    facts = Facts(
        fence_is_clear=True,
        is_within_limits=in_turn and _has_room(session, run.organization_id, own_limit),
        is_speculative=run.is_speculative,
        is_in_turn=in_turn,
        others_have_quiesced=in_turn,
    )
    pins, problem = None, None
    if parent is None:
        try:
            # Read before the row changes, so that it is written once.
            pins = state.current(session, run.workspace_id), workspaces.variables_for_run(session, run.workspace_id)
        except AppError as error:
            problem = error
    at = clock.now()
    run.phase = "preparing"
    run.fencing_token += 1
    run.claimed_at = at
    run.claimed_by = worker.model_dump()
    run.lease_expires_at = at + timedelta(seconds=get_settings().lease_seconds)
    if pins is not None:
        _pin(run, workspace, *pins)
    try:
        transition(session, run, Trigger.CLAIM, facts)
    except GuardRefused:
        session.expire(run)
        return None
    try:
        if problem is not None:
            raise problem
        if parent is not None:
            return _apply_job(session, run, parent, workspace)
        assert pins is not None
        return _plan_job(session, run, workspace, *pins)
    except AppError as error:
        _end_unstarted(session, run, parent, error)
        return None


def _has_room(session: Session, organization_id: str, own_limit: int | None) -> bool:
    """Whether the organization may execute one run more. Where it has a limit, other claims of it wait for this one."""
    most = effective_limit(own_limit, get_settings().organization_concurrency)
    if most is None:
        return True
    queue_repository.hold_line(session, organization_id)
    return queue_repository.executing(session, organization_id) < most


def _end_unstarted(session: Session, run: TerraformRun, parent: TerraformRun | None, error: AppError) -> None:
    """End a run whose job can't be put together (a secret is missing, an artifact is lost): trying again won't help."""
    keep_failure(run, Failure(phase="preparing", code=error.code, message=error.detail))
    transition(session, run, Trigger.FAIL, Facts(), reason=error.detail[:500], evidence={"code": error.code})
    end_parent(session, parent, run)
    state.unlock(session, run.workspace_id, run.id)
    close(session, run, ProofOfDeath(kind="never_started", at=clock.now()))
    dispatch(session, run.workspace_id)


def dispatch(session: Session, workspace_id: str) -> None:
    """Send the job of the run that is in turn now, after commit."""
    following = queue_repository.next_in_turn(session, workspace_id)
    if following is not None:
        enqueue(session, EXECUTE_TASK, following, queue="terraform")


def _pin(
    run: TerraformRun, workspace: WorkspaceOut, newest: CurrentState | None, resolved: list[ResolvedVariable]
) -> None:
    """Note on a run that plans what it is planned from."""
    run.variable_version_ids = sorted(variable.version_id for variable in resolved)
    run.state_lineage = newest.lineage if newest is not None else None
    run.state_serial = newest.serial if newest is not None else 0
    run.backend_digest = fingerprint.backend_digest(workspace)


def _plan_job(
    session: Session,
    run: TerraformRun,
    workspace: WorkspaceOut,
    newest: CurrentState | None,
    resolved: list[ResolvedVariable],
) -> RunnerJob:
    if not run.is_speculative:
        _take_lock(session, run)
    if Kind(run.kind) in MOVES:
        return _moving_job(session, run, workspace, resolved, newest)
    known = repository.latest_lock_file(session, run.workspace_id, run.configuration_digest)
    lock_file = ArtifactRef.model_validate(known) if known else None
    return _job(session, run, workspace, resolved, newest, lock_file=lock_file)


def _apply_job(session: Session, run: TerraformRun, parent: TerraformRun, workspace: WorkspaceOut) -> RunnerJob:
    newest = state.current(session, run.workspace_id)
    run.working_directory = parent.working_directory
    if Kind(parent.kind) in MOVES:
        resolved = workspaces.variables_for_run(session, run.workspace_id)
        return _moving_job(session, run, workspace, resolved, newest, parent)
    return _job(
        session,
        run,
        workspace,
        workspaces.variables_for_run(session, run.workspace_id),
        newest,
        lock_file=_artifact(parent, "lock_file"),
        plan_file=_artifact(parent, "plan_file"),
        side_files=_artifact(parent, "side_files"),
        planned_run_id=parent.id,
        planned_kind=Kind(parent.kind).value,
        working_directory=parent.working_directory,
        planned_engine=EngineInfo.model_validate(parent.engine) if parent.engine is not None else None,
    )


def _job(
    session: Session,
    run: TerraformRun,
    workspace: WorkspaceOut,
    resolved: list[ResolvedVariable],
    newest: CurrentState | None,
    **rest: Any,
) -> RunnerJob:
    spec = specs.version(session, run.organization_id, run.spec_version_id).spec()
    configuration = configurations.get(session, run.organization_id, run.configuration_id or "")
    is_module = spec.module_source is not None
    module = configurations.interface(configuration, root_directory(spec)) if is_module else None
    given = [
        *codegen.run_variables(spec, resolved),
        *_outputs_read(session, run, workspace, spec, resolved),
    ]
    return RunnerJob(
        **_frame(run, workspace, spec),
        configuration=configuration.archive,
        module_path="" if is_module else spec.module_path,
        has_policies=fingerprint.is_judged(session, workspace),
        generated_files=codegen.render(
            spec,
            backend=workspace.state_backend,
            backend_settings=workspace.state_backend_settings,
            module=module,
            variables=given,
        ),
        expected_backend=codegen.engine_backend(workspace.state_backend),
        backend_settings=codegen.engine_settings(workspace.state_backend, workspace.state_backend_settings),
        backend_environment=_backend_environment(session, run, workspace, given),
        state=newest.artifact if newest is not None and workspace.state_backend == "local" else None,
        state_lineage=newest.lineage if newest is not None else None,
        state_serial=newest.serial if newest is not None else 0,
        variables=_job_variables(given),
        **rest,
    )


def _outputs_read(
    session: Session,
    run: TerraformRun,
    workspace: WorkspaceOut,
    spec: TerraformStackSpec,
    resolved: list[ResolvedVariable],
) -> list[ResolvedVariable]:
    """Return the outputs of other workspaces that the spec maps to inputs: a plan pins them, its apply takes those.

    A workspace's own variable of the input's name wins. Raises the errors of ``state.resolve_outputs``.
    """
    if not spec.output_mappings:
        return []
    if run.parent_run_id is not None:
        read = state.pinned_outputs(session, run.organization_id, run.upstream_outputs or [])
    else:
        own = {variable.key for variable in resolved if variable.kind == "terraform"}
        wanted = {name: found for name, found in spec.output_mappings.items() if name not in own}
        read = state.resolve_outputs(session, workspace, wanted)
        run.upstream_outputs = [pin.model_dump() for pin, _ in read] or None
    return [
        codegen.output_variable(pin.input, output.value, version_id=pin.state_version_id, is_sensitive=output.sensitive)
        for pin, output in read
    ]


def _moving_job(
    session: Session,
    run: TerraformRun,
    workspace: WorkspaceOut,
    resolved: list[ResolvedVariable],
    newest: CurrentState | None,
    parent: TerraformRun | None = None,
) -> RunnerJob:
    """Return the job of a run that moves a state: backends and the credentials for them, and no configuration."""
    target = _target(session, run, workspace)
    spec = specs.version(session, run.organization_id, run.spec_version_id).spec()
    return RunnerJob(
        **_frame(run, workspace, spec),
        configuration=None,
        has_policies=fingerprint.is_judged(session, workspace),
        generated_files={
            codegen.BACKEND_FILE: codegen.render_backend(workspace.state_backend, workspace.state_backend_settings)
        },
        expected_backend=codegen.engine_backend(workspace.state_backend),
        backend_settings=codegen.engine_settings(workspace.state_backend, workspace.state_backend_settings),
        backend_environment=_backend_environment(session, run, workspace, resolved),
        target=target,
        state=newest.artifact if newest is not None and workspace.state_backend == "local" else None,
        state_lineage=newest.lineage if newest is not None else None,
        state_serial=newest.serial if newest is not None else 0,
        variables=_job_variables([item for item in resolved if item.kind == "env"]),
        plan_file=_artifact(parent, "plan_file"),
        planned_run_id=parent.id if parent is not None else None,
        planned_kind=Kind(parent.kind).value if parent is not None else None,
    )


def _target(session: Session, run: TerraformRun, workspace: WorkspaceOut) -> JobBackend | None:
    """Return where a migration brings the state. Raises ``StateLocationTaken`` when another workspace went there."""
    wanted = run.target or {}
    if "state_backend" not in wanted:
        return None
    backend, given = wanted["state_backend"], wanted["state_backend_settings"]
    settings = workspaces.check_backend(session, run.organization_id, workspace.id, backend, given)
    return JobBackend(
        generated_files={codegen.BACKEND_FILE: codegen.render_backend(backend, settings)},
        expected_backend=codegen.engine_backend(backend),
        backend_settings=codegen.engine_settings(backend, settings),
    )


def _frame(run: TerraformRun, workspace: WorkspaceOut, spec: TerraformStackSpec) -> dict[str, Any]:
    """Return what every job says of its run, its lease and its engine."""
    settings = get_settings()
    return {
        "run_id": run.id,
        "organization_id": run.organization_id,
        "workspace_id": run.workspace_id,
        "workspace_name": workspace.name,
        "kind": Kind(run.kind).value,
        "speculative": run.is_speculative,
        "fencing_token": run.fencing_token,
        "lease_seconds": settings.lease_seconds,
        "heartbeat_seconds": settings.lease_seconds / 3,
        "grace_seconds": settings.grace_seconds,
        "timeout_seconds": settings.run_timeout_seconds,
        "engine": EngineRequest.model_validate(spec.engine_request(workspace.engine_kind, workspace.engine_version)),
    }


def _job_variables(given: list[ResolvedVariable]) -> tuple[JobVariable, ...]:
    return tuple(
        JobVariable(key=item.key, value=item.value, kind=item.kind, sensitive=item.sensitive, hcl=item.hcl)
        for item in given
    )


def _backend_environment(
    session: Session, run: TerraformRun, workspace: WorkspaceOut, given: list[ResolvedVariable]
) -> dict[str, str]:
    """Return what the engine needs to reach the state by itself, beside the workspace's own environment variables.

    For a migration, what it needs for both backends.
    """
    found: dict[str, str] = {}
    target = run.target or {}
    for backend, settings in (
        (workspace.state_backend, workspace.state_backend_settings),
        (target.get("state_backend"), target.get("state_backend_settings") or {}),
    ):
        if backend == "hcp":
            found |= codegen.hcp_environment(settings, given)
    if "managed" not in {workspace.state_backend, target.get("state_backend")}:
        return found
    return found | _credential(session, run)


def _credential(session: Session, run: TerraformRun) -> dict[str, str]:
    return state.issue_run_credential(
        session,
        organization_id=run.organization_id,
        workspace_id=run.workspace_id,
        run_id=run.id,
        phase="apply" if run.parent_run_id is not None else "plan",
        holder=run.requested_by,
    )


def _artifact(run: TerraformRun | None, name: str) -> ArtifactRef | None:
    found = run.artifacts.get(name) if run is not None else None
    return ArtifactRef.model_validate(found) if found else None


def _take_lock(session: Session, run: TerraformRun) -> None:
    state.lock(
        session,
        organization_id=run.organization_id,
        workspace_id=run.workspace_id,
        run_id=run.id,
        fencing_token=run.fencing_token,
        holder=run.requested_by,
        reason=f"{run.kind} {run.id}",
    )
