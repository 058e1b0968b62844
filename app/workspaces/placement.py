"""Which backend a workspace's state lies in, and with which settings."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.core.settings import StateBackend, get_settings
from app.workspaces import repository
from app.workspaces.backends import FIELD, check_settings, location
from app.workspaces.errors import BackendSettingsInvalid, StateLocationTaken
from app.workspaces.models import TerraformWorkspace
from app.workspaces.schemas import NewWorkspace, WorkspaceChange

_WORKSPACE_ID = "{workspace_id}"


def chosen(session: Session, organization_id: str, workspace_id: str, new: NewWorkspace) -> dict[str, Any]:
    """Return backend and settings of a new workspace; without a wish those that are the installation's now.

    They are kept with the workspace, so that a default that changes later moves no state. Raises
    ``BackendSettingsInvalid`` and ``StateLocationTaken``.
    """
    if new.state_backend is None and not new.state_backend_settings:
        return _checked(session, organization_id, workspace_id, *_default(workspace_id))
    backend = new.state_backend or get_settings().terraform_state_backend
    return _checked(session, organization_id, workspace_id, backend, new.state_backend_settings)


def wanted(session: Session, row: TerraformWorkspace, change: WorkspaceChange) -> dict[str, Any]:
    """Return backend and settings as a change wants them; nothing when it names neither. Raises as ``chosen``."""
    names_settings = change.state_backend_settings is not None
    if "state_backend" not in change.model_fields_set:
        if not names_settings:
            return {}
        backend: StateBackend = row.state_backend  # type: ignore[assignment]  # the column holds a StateBackend
        return _checked(session, row.organization_id, row.id, backend, change.state_backend_settings or {})
    if change.state_backend is None and not names_settings:
        return _checked(session, row.organization_id, row.id, *_default(row.id))
    backend = change.state_backend or get_settings().terraform_state_backend
    kept = row.state_backend_settings if backend == row.state_backend and not names_settings else {}
    return _checked(session, row.organization_id, row.id, backend, change.state_backend_settings or kept)


def check_backend(
    session: Session, organization_id: str, workspace_id: str, backend: StateBackend, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of ``backend`` with its defaults, as a workspace would keep them.

    Raises ``BackendSettingsInvalid``, and ``StateLocationTaken`` when another workspace keeps its state there.
    """
    found = check_settings(backend, settings)
    place = location(backend, found)
    if place is not None:
        taken = repository.in_location(session, organization_id, backend, place, besides=workspace_id)
        if taken is not None:
            raise StateLocationTaken(
                f"The workspace {taken} keeps its state there. Two workspaces that share a state would undo each "
                "other's work: name another place, or use that workspace.",
                workspace=taken,
            )
    return found


def move_state_backend(session: Session, workspace_id: str, backend: StateBackend, settings: Mapping[str, Any]) -> None:
    """Make ``backend`` the workspace's: its state has been moved there. ``settings`` are those of ``check_backend``."""
    repository.set_backend(session, workspace_id, backend, dict(settings))


def _checked(
    session: Session, organization_id: str, workspace_id: str, backend: StateBackend, settings: Mapping[str, Any]
) -> dict[str, Any]:
    found = check_backend(session, organization_id, workspace_id, backend, settings)
    return {"state_backend": backend, "state_backend_settings": found}


def _default(workspace_id: str) -> tuple[StateBackend, dict[str, Any]]:
    settings = get_settings()
    text = settings.terraform_state_backend_settings.strip() or "{}"
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        message = "SLUICE_TERRAFORM_STATE_BACKEND_SETTINGS is not a JSON object; correct it, or name a state_backend"
        raise BackendSettingsInvalid(f"{message}.", errors=[{"field": FIELD, "message": message}])
    if given and _WORKSPACE_ID not in text:
        message = (
            f"SLUICE_TERRAFORM_STATE_BACKEND_SETTINGS names one place for every workspace; write {_WORKSPACE_ID} in "
            "its key, prefix or workspace"
        )
        raise BackendSettingsInvalid(f"{message}.", errors=[{"field": FIELD, "message": message}])
    return settings.terraform_state_backend, _filled(given, workspace_id)


def _filled(value: Any, workspace_id: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, workspace_id) for name, item in value.items()}
    return value.replace(_WORKSPACE_ID, workspace_id) if isinstance(value, str) else value
