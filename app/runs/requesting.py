"""Requesting runs: from the workspace's head, an upload, or a spec of the request's own."""

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.configurations import service as configurations
from app.configurations.schemas import ConfigurationOut
from app.core.errors import Invalid
from app.core.ids import new_id
from app.core.jobs import enqueue
from app.core.permissions import Actor, Permission, system_actor
from app.experiments import service as experiments
from app.fence import service as fence
from app.progress import service as progress
from app.runs import repository
from app.runs.errors import DestroyNotPermitted, NothingToRun
from app.runs.machine import Facts, Kind, Status, Trigger, decide
from app.runs.models import TerraformRun
from app.runs.schemas import RunRequest
from app.runs.transition import status_record
from app.specs import service as specs
from app.specs.schemas import SpecVersionOut, TerraformStackSpec
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

EXECUTE_TASK = "runs.execute"


def request(session: Session, actor: Actor, wanted: RunRequest) -> tuple[TerraformRun, WorkspaceOut, SpecVersionOut]:
    """Queue a run that plans, and return it with its workspace and spec version. Its job is sent after commit.

    Raises ``Halted`` while a fence stands, ``NothingToRun`` when the workspace has nothing to plan from,
    ``DestroyNotPermitted`` for a destroy without its permission, and the other slices' not-found errors.
    """
    if wanted.configuration_id is not None and wanted.spec is not None:
        message = "can't be sent beside spec: name the configuration's digest in the spec instead"
        raise Invalid.of_field("configuration_id", message)
    workspace = workspaces.get(session, actor.organization_id, wanted.workspace)
    fence.hold_shared(session, actor.organization_id, workspace.id)
    if wanted.kind == "destroy":
        actor.require(Permission.RUNS_DESTROY, DestroyNotPermitted)
    experiments.check_reference(session, actor.organization_id, wanted.experiment_id, wanted.test_id)
    version, configuration, follows_head = _what_to_plan(session, actor, workspace, wanted)
    decision = decide(Kind(wanted.kind), None, Trigger.REQUEST, Facts(fence_is_clear=True, inputs_exist=True))
    run = TerraformRun(
        id=new_id("run"),
        organization_id=actor.organization_id,
        workspace_id=workspace.id,
        kind=wanted.kind,
        status=decision.status.value,
        is_speculative=wanted.speculative,
        follows_head=follows_head,
        message=wanted.message,
        source=wanted.source,
        requested_by=actor.describe(),
        requested_by_id=actor.id,
        experiment_id=wanted.experiment_id,
        test_id=wanted.test_id,
        spec_version_id=version.id,
        configuration_id=configuration.id,
        configuration_digest=configuration.digest,
    )
    insert(session, run, actor)
    return run, workspace, version


def insert(session: Session, run: TerraformRun, actor: Actor) -> None:
    """Add a queued run with its stream, and send its job after commit. ``actor`` is who asked for it."""
    session.add(run)
    session.flush()
    evidence = {
        "kind": run.kind,
        "workspace_id": run.workspace_id,
        "is_speculative": run.is_speculative or None,
        "spec_version_id": run.spec_version_id,
        "configuration_digest": run.configuration_digest or None,
        "parent_run_id": run.parent_run_id,
        "fingerprint": run.fingerprint,
    }
    told = {key: value for key, value in evidence.items() if value is not None}
    audit.record(session, actor, f"run.{Trigger.REQUEST.value}", ("run", run.id), told)
    # Before what tells the watchers, so that it is sent first: a worker waits for it.
    enqueue(session, EXECUTE_TASK, run.id, queue="terraform")
    progress.open_stream(
        session,
        run_id=run.id,
        organization_id=run.organization_id,
        workspace_id=run.workspace_id,
        records=[status_record(run)],
    )


def queue_apply(session: Session, parent: TerraformRun) -> TerraformRun:
    """Queue the apply of an approved run, in the transaction that approves it."""
    child = TerraformRun(
        id=new_id("run"),
        organization_id=parent.organization_id,
        workspace_id=parent.workspace_id,
        parent_run_id=parent.id,
        kind=Kind.APPLY.value,
        status=Status.QUEUED.value,
        follows_head=parent.follows_head,
        message=parent.message,
        source=parent.source,
        requested_by=parent.requested_by,
        requested_by_id=parent.requested_by_id,
        experiment_id=parent.experiment_id,
        test_id=parent.test_id,
        spec_version_id=parent.spec_version_id,
        configuration_id=parent.configuration_id,
        configuration_digest=parent.configuration_digest,
        variable_version_ids=parent.variable_version_ids,
        upstream_outputs=parent.upstream_outputs,
        counts=parent.counts,
        has_changes=parent.has_changes,
        fingerprint=parent.fingerprint,
        state_lineage=parent.state_lineage,
        state_serial=parent.state_serial,
        backend_digest=parent.backend_digest,
        target=parent.target,
        was_overridden=parent.was_overridden,
    )
    insert(session, child, system_actor(parent.organization_id))
    return child


def _what_to_plan(
    session: Session, actor: Actor, workspace: WorkspaceOut, wanted: RunRequest
) -> tuple[SpecVersionOut, ConfigurationOut, bool]:
    """Return the spec version, its configuration, and whether the run follows the workspace's head."""
    own = actor.organization_id
    if wanted.spec is not None:
        if not _names_code(wanted.spec):
            raise _nothing(workspace)
        detached = specs.add_detached_version(session, actor, workspace.stack.id, wanted.spec)
        return detached, configurations.for_spec(session, actor, detached.spec()), False
    head = specs.version(session, own, workspace.head.id) if workspace.head is not None else None
    if wanted.configuration_id is not None:
        uploaded = configurations.take(session, own, wanted.configuration_id)
        base = head.spec() if head is not None else TerraformStackSpec(name=workspace.stack.name)
        spec = base.with_configuration(uploaded.digest)
        return specs.add_detached_version(session, actor, workspace.stack.id, spec, code=uploaded), uploaded, False
    if head is not None and _names_code(head.spec()):
        return head, configurations.for_spec(session, actor, head.spec()), True
    applied = repository.latest_applied(session, workspace.id)
    if applied is None or applied.configuration_id is None:
        raise _nothing(workspace)
    version = specs.version(session, own, applied.spec_version_id)
    return version, configurations.take(session, own, applied.configuration_id), False


def _names_code(spec: TerraformStackSpec) -> bool:
    return spec.module_source is not None or spec.configuration_digest is not None


def _nothing(workspace: WorkspaceOut) -> NothingToRun:
    return NothingToRun(
        f"Workspace {workspace.name} has nothing to plan: push a spec that names a module or a configuration "
        "(`sluice stack push`), or upload a directory (`sluice plan DIR --workspace NAME`).",
        errors=[{"field": "workspace", "message": "has no spec with a configuration, and none was sent"}],
    )
