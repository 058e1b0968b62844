"""Output sharing over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires
from app.state import service
from app.state.upstream_schemas import OutputSharing, OutputSharingIn
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform/workspaces/{workspace}/output-sharing", tags=["state"])


@router.get(
    "",
    operation_id="get_output_sharing",
    summary="Who may read the outputs",
    responses=error_responses(WorkspaceNotFound),
)
def get_output_sharing(
    workspace: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_READ)]
) -> OutputSharing:
    """Return which workspaces may take this one's outputs as inputs."""
    return service.sharing(session, actor, workspace)


@router.put(
    "",
    operation_id="set_output_sharing",
    summary="Share the outputs",
    responses=error_responses(WorkspaceNotFound),
)
def set_output_sharing(
    workspace: str,
    wanted: OutputSharingIn,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.WORKSPACES_WRITE)],
) -> OutputSharing:
    """Set which workspaces may take this one's outputs as inputs, sensitive ones in clear.

    Needs `state:read-sensitive` too, since their runs see what sensitive outputs hold.
    """
    return service.set_sharing(session, actor, workspace, wanted)
