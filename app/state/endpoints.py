"""State versions, outputs and locks over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageParams, page_params
from app.core.permissions import Actor, Permission, requires
from app.state import service
from app.state.errors import StateLocked, StateVersionNotFound
from app.state.schemas import Output, StateVersionDetail, StateVersionOut

router = APIRouter(prefix="/terraform", tags=["state"])
Reader = Annotated[Actor, requires(Permission.STATE_READ)]


@router.get("/workspaces/{workspace}/state-versions", operation_id="list_state_versions")
def list_state_versions(
    workspace: str, session: SessionDep, actor: Reader, params: Annotated[PageParams, Depends(page_params)]
) -> Page[StateVersionOut]:
    """List a workspace's state versions, newest first."""
    return service.versions(session, actor, workspace, params)


@router.get(
    "/state-versions/{version_id}",
    operation_id="get_state_version",
    responses=error_responses(StateVersionNotFound),
)
def get_state_version(version_id: str, session: SessionDep, actor: Reader) -> StateVersionDetail:
    """Return one state version with its resource list."""
    return service.version(session, actor, version_id)


@router.get(
    "/state-versions/{version_id}/outputs",
    operation_id="get_state_version_outputs",
    responses=error_responses(StateVersionNotFound),
)
def get_state_version_outputs(version_id: str, session: SessionDep, actor: Reader) -> list[Output]:
    """Return a state version's outputs; sensitive values are null."""
    return service.outputs(session, actor, version_id)


@router.get("/workspaces/{workspace}/outputs", operation_id="get_workspace_outputs")
def get_workspace_outputs(workspace: str, session: SessionDep, actor: Reader) -> list[Output]:
    """Return the outputs of a workspace's newest state; sensitive values are null."""
    return service.current_outputs(session, actor, workspace)


@router.get(
    "/state-versions/{version_id}/download",
    operation_id="download_state_version",
    responses=error_responses(StateVersionNotFound),
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
    responses=error_responses(StateLocked),
)
def release_orphaned_lock(
    workspace: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_UNLOCK)]
) -> None:
    """Release a state lock whose holder is proven dead."""
    service.release_orphaned(session, actor, workspace)
