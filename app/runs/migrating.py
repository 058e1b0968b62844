"""Migrations: a workspace's state moves to another backend, and the workspace with it."""

from sqlalchemy.orm import Session

from app.core.permissions import Actor, Permission
from app.runner import summary
from app.runner.port import Counts, MovePlan
from app.runs import moving
from app.runs.errors import NothingToMigrate, StateBackendUnchanged
from app.runs.machine import Kind
from app.runs.models import TerraformRun
from app.runs.schemas import MigrationRequest
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut


def request_migration(
    session: Session, actor: Actor, id_or_name: str, wanted: MigrationRequest
) -> tuple[TerraformRun, WorkspaceOut]:
    """Queue a run that moves a workspace's state to another backend, and return it with its workspace.

    Raises ``Halted``, ``Forbidden`` (for an AI agent, too), ``StateLocked`` while a run or a person holds the lock,
    ``BackendSettingsInvalid``, ``StateLocationTaken``, ``StateBackendUnchanged`` and ``NothingToMigrate``.
    """
    actor.require(Permission.WORKSPACES_WRITE)
    workspace = moving.admit(session, actor, id_or_name, "move a state to another backend")
    backend = wanted.state_backend
    settings = workspaces.check_backend(
        session, actor.organization_id, workspace.id, backend, wanted.state_backend_settings
    )
    if (backend, settings) == (workspace.state_backend, workspace.state_backend_settings):
        raise StateBackendUnchanged(
            f"The state of {workspace.name} lies there already: {backend}, with these settings."
        )
    if workspace.is_state_here and state.current(session, workspace.id) is None:
        raise NothingToMigrate(
            f"Workspace {workspace.name} has no state yet. Set its state_backend instead: `sluice workspace set "
            f"{workspace.name} --state-backend {backend}`.",
            errors=[{"field": "state_backend", "message": "the workspace has no state: change the setting instead"}],
        )
    target = {"state_backend": backend, "state_backend_settings": settings}
    message = wanted.message or f"Move the state from {workspace.state_backend} to {backend}"
    return moving.queue(session, actor, workspace, Kind.MIGRATION, target, message, wanted.source), workspace


def outline(session: Session, run: TerraformRun, found: bytes | None, there: bytes | None) -> MovePlan:
    """Check that the target takes the state, and store the plan: its document, its view, and the state to move.

    ``found`` is what the workspace's backend holds, ``there`` what the target does. Raises ``NothingToMigrate`` and
    what ``state.check_target`` raises.
    """
    workspace = workspaces.get(session, run.organization_id, run.workspace_id)
    if found is None:
        raise NothingToMigrate(
            f"The backend {workspace.state_backend} holds no state of {workspace.name}. Set its state_backend instead."
        )
    moved, copy_serial = state.check_target(found, there)
    target = run.target or {}
    change = {
        "kind": Kind.MIGRATION.value,
        "from": {
            "state_backend": workspace.state_backend,
            "state_backend_settings": workspace.state_backend_settings,
            "lineage": moved.lineage,
            "serial": moved.serial,
            "resource_count": sum(1 for resource in moved.resources if resource.mode == "managed"),
        },
        "to": {**target, "is_empty": copy_serial is None, "serial": copy_serial},
    }
    view = summary.PlanView(
        engine_version=moved.engine_version,
        has_changes=True,
        counts=Counts().model_dump(by_alias=True),
        resources=(),
        outputs=(),
        drift=(),
    )
    return MovePlan(
        has_changes=True,
        counts=Counts(),
        plan_file=moving.put(run, "plan_file", found),
        plan_json=moving.put(run, "plan_json", moving.document(moved.engine_version, change)),
        plan_view=moving.put(run, "plan_view", moving.view_json(view, change)),
    )


def flip(session: Session, run: TerraformRun) -> None:
    """Make the target the workspace's backend, in the transaction that finishes the migration.

    The workspace's row is locked before the run's.
    """
    target = run.target or {}
    workspaces.move_state_backend(session, run.workspace_id, target["state_backend"], target["state_backend_settings"])
