"""Recovery lists over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.recovery import service
from app.recovery.errors import RecoveryItemNotFound, RecoveryItemSettled
from app.recovery.schemas import DismissRequest, RecoveryItemOut, RecoveryStatus, RunRecovery
from app.runs.errors import RunNotFound
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["recovery"])
Reader = Annotated[Actor, requires(Permission.STATE_READ)]


@router.get(
    "/runs/{run_id}/recovery",
    operation_id="get_run_recovery",
    summary="Read the recovery list of a run's apply",
    responses=error_responses(RunNotFound),
)
def get_run_recovery(run_id: str, session: SessionDep, actor: Reader) -> RunRecovery:
    """Return what a run's apply may have left that no state knows, with import blocks and what to check.

    Asking may build the list first, and settle the items that the workspace's state knows by now.
    """
    return service.run_recovery(session, actor, run_id)


@router.get(
    "/recovery/resources",
    operation_id="list_recovery_items",
    summary="List the items of recovery lists",
    responses=error_responses(WorkspaceNotFound),
)
def list_recovery_items(
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    workspace: Annotated[str | None, Query(description="Name or id of a workspace.")] = None,
    status: Annotated[RecoveryStatus | None, Query(description="Only those; default: all.")] = None,
) -> Page[RecoveryItemOut]:
    """List what applies may have left that no state knows, newest first."""
    return service.page(session, actor, params, workspace=workspace, status=status)


@router.post(
    "/recovery/resources/{item_id}/dismiss",
    operation_id="dismiss_recovery_item",
    summary="Dismiss an item of a recovery list",
    responses=error_responses(RecoveryItemNotFound, RecoveryItemSettled),
)
def dismiss_recovery_item(
    item_id: str,
    body: DismissRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.STATE_WRITE)],
) -> RecoveryItemOut:
    """Take an item off the list: it does not exist, or is taken care of elsewhere."""
    return service.dismiss(session, actor, item_id, body)
