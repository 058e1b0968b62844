"""State versions, outputs and locks over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.state import service
from app.state.errors import (
    NotYourLock,
    OutputNotFound,
    StateLocked,
    StateNotLocked,
    StateVersionNotFound,
    StateVersionPruned,
)
from app.state.schemas import (
    LockOut,
    LockRequest,
    Output,
    ResourceFacets,
    ResourceFilter,
    Retention,
    StateDiff,
    StateResource,
    StateVersionDetail,
    StateVersionOut,
    UnlockRequest,
)
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["state"])
Reader = Annotated[Actor, requires(Permission.STATE_READ)]


@router.get(
    "/workspaces/{workspace}/state-versions",
    operation_id="list_state_versions",
    responses=error_responses(WorkspaceNotFound),
)
def list_state_versions(workspace: str, session: SessionDep, actor: Reader, params: PageDep) -> Page[StateVersionOut]:
    """List a workspace's state versions, newest first."""
    return service.versions(session, actor, workspace, params)


@router.get(
    "/state-versions/{version_id}",
    operation_id="get_state_version",
    responses=error_responses(StateVersionNotFound, StateVersionPruned),
)
def get_state_version(version_id: str, session: SessionDep, actor: Reader) -> StateVersionDetail:
    """Return one state version with its resource list."""
    return service.version(session, actor, version_id)


@router.get(
    "/state-versions/{version_id}/outputs",
    operation_id="get_state_version_outputs",
    responses=error_responses(StateVersionNotFound, StateVersionPruned),
)
def get_state_version_outputs(version_id: str, session: SessionDep, actor: Reader) -> list[Output]:
    """Return a state version's outputs; sensitive values are null."""
    return service.outputs(session, actor, version_id)


@router.get(
    "/state-versions/{version_id}/outputs/{name}",
    operation_id="reveal_state_output",
    responses=error_responses(StateVersionNotFound, StateVersionPruned, OutputNotFound),
)
def reveal_state_output(
    version_id: str,
    name: str,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.STATE_READ_SENSITIVE)],
    response: Response,
) -> Output:
    """Return one output with its value, also when it is sensitive. Each reading is audited."""
    response.headers["Cache-Control"] = "no-store"
    return service.reveal_output(session, actor, version_id, name)


@router.get(
    "/state-versions/{version_id}/resources",
    operation_id="list_state_resources",
    responses=error_responses(StateVersionNotFound, StateVersionPruned),
)
def list_state_resources(
    version_id: str,
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    module: Annotated[str | None, Query(description="In this module and below; empty: the root alone.")] = None,
    kind: Annotated[str | None, Query(alias="type", description="Of this type, such as `aws_instance`.")] = None,
    provider: Annotated[str | None, Query(description="Of this provider: `aws` or a source address's end.")] = None,
    mode: Annotated[Literal["managed", "data"] | None, Query(description="Managed ones or data sources.")] = None,
    search: Annotated[str | None, Query(description="Part of the address.")] = None,
) -> Page[StateResource]:
    """List the resources of a state version in the state's order."""
    wanted = ResourceFilter(module=module, type=kind, provider=provider, mode=mode, search=search)
    return service.resources(session, actor, version_id, wanted, params)


@router.get(
    "/state-versions/{version_id}/resource-facets",
    operation_id="get_state_resource_facets",
    responses=error_responses(StateVersionNotFound, StateVersionPruned),
)
def get_state_resource_facets(version_id: str, session: SessionDep, actor: Reader) -> ResourceFacets:
    """Return which modules, types, providers and modes a state version's resources have, with counts."""
    return service.facets(session, actor, version_id)


@router.get(
    "/state-versions/{version_id}/diff/{other_id}",
    operation_id="diff_state_versions",
    responses=error_responses(StateVersionNotFound, StateVersionPruned),
)
def diff_state_versions(
    version_id: str,
    other_id: str,
    session: SessionDep,
    actor: Reader,
    params: PageDep,
) -> StateDiff:
    """Return what differs from one state version to another, by resource and attribute; sensitive values are null."""
    return service.diff(session, actor, version_id, other_id, params)


@router.get(
    "/workspaces/{workspace}/outputs",
    operation_id="get_workspace_outputs",
    responses=error_responses(WorkspaceNotFound),
)
def get_workspace_outputs(workspace: str, session: SessionDep, actor: Reader) -> list[Output]:
    """Return the outputs of a workspace's newest state; sensitive values are null."""
    return service.current_outputs(session, actor, workspace)


@router.get(
    "/state-versions/{version_id}/download",
    operation_id="download_state_version",
    responses=error_responses(StateVersionNotFound, StateVersionPruned),
    response_class=Response,
)
def download_state_version(
    version_id: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_DOWNLOAD)]
) -> Response:
    """Return the state as the engine wrote it, secrets included. Each download is audited."""
    headers = {"Content-Disposition": f'attachment; filename="{version_id}.tfstate"', "Cache-Control": "no-store"}
    return Response(service.download(session, actor, version_id), media_type="application/json", headers=headers)


@router.post(
    "/workspaces/{workspace}/state-lock/release",
    operation_id="release_orphaned_lock",
    status_code=204,
    responses=error_responses(WorkspaceNotFound, StateLocked),
)
def release_orphaned_lock(
    workspace: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_UNLOCK)]
) -> None:
    """Release a state lock whose holder is proven dead."""
    service.release_orphaned(session, actor, workspace)


@router.get(
    "/workspaces/{workspace}/state-lock", operation_id="get_state_lock", responses=error_responses(WorkspaceNotFound)
)
def get_state_lock(workspace: str, session: SessionDep, actor: Reader) -> LockOut | None:
    """Return who holds the state lock; null when nobody does."""
    return service.lock_of(session, actor, workspace)


@router.post(
    "/workspaces/{workspace}/state-lock",
    operation_id="lock_state",
    responses=error_responses(WorkspaceNotFound, StateLocked),
)
def lock_state(
    workspace: str, body: LockRequest, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_WRITE)]
) -> LockOut:
    """Lock the state by hand: no run starts until it is unlocked. One's own lock again changes nothing."""
    return service.lock_manually(session, actor, workspace, body)


@router.delete(
    "/workspaces/{workspace}/state-lock",
    operation_id="unlock_state",
    status_code=204,
    responses=error_responses(WorkspaceNotFound, StateNotLocked, StateLocked, NotYourLock),
)
def unlock_state(
    workspace: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_WRITE)]
) -> None:
    """Release one's own manual lock; what waits may start."""
    service.unlock_own(session, actor, workspace)


@router.post(
    "/workspaces/{workspace}/state-lock/force-unlock",
    operation_id="force_unlock_state",
    status_code=204,
    responses=error_responses(WorkspaceNotFound, StateNotLocked, StateLocked),
)
def force_unlock_state(
    workspace: str,
    body: UnlockRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.STATE_UNLOCK)],
) -> None:
    """Take away a manual lock or a dead run's. A living run's is refused: cancel the run. Audited."""
    service.force_unlock(session, actor, workspace, body)


@router.get(
    "/workspaces/{workspace}/state-retention",
    operation_id="get_state_retention",
    responses=error_responses(WorkspaceNotFound),
)
def get_state_retention(workspace: str, session: SessionDep, actor: Reader) -> Retention:
    """Return how long the content of old state versions is kept; nulls keep everything."""
    return service.retention(session, actor, workspace)


@router.put(
    "/workspaces/{workspace}/state-retention",
    operation_id="set_state_retention",
    responses=error_responses(WorkspaceNotFound),
)
def set_state_retention(
    workspace: str, body: Retention, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_WRITE)]
) -> Retention:
    """Set how long the content of old state versions is kept. The newest version's always is."""
    return service.set_retention(session, actor, workspace, body)
