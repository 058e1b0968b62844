"""Read models over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.core.db import SessionDep
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.overview import history, service
from app.overview.schemas import Overview, OverviewHistory, Window, WorkspaceRow
from app.runs.schemas import Status
from app.workspaces.schemas import WorkspaceFilter

router = APIRouter(prefix="/terraform", tags=["workspaces"])
Reader = Annotated[Actor, requires(Permission.WORKSPACES_READ)]


@router.get("/workspaces", operation_id="list_workspaces", summary="List workspaces")
def list_workspaces(
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    search: Annotated[str | None, Query(max_length=200, description="Part of a workspace's or stack's name.")] = None,
    tag: Annotated[str | None, Query(max_length=100)] = None,
    stack_id: Annotated[str | None, Query()] = None,
    status: Annotated[list[Status] | None, Query(description="Status of the newest run; may be repeated.")] = None,
) -> Page[WorkspaceRow]:
    """List workspaces with their newest run, state and lock, by name."""
    wanted = WorkspaceFilter(search=search, tag=tag, stack_id=stack_id)
    return service.workspace_page(session, actor, wanted, [item.value for item in status or ()], params)


@router.get("/overview", operation_id="get_overview", summary="Read the figures of the overview page")
def get_overview(session: SessionDep, actor: Reader) -> Overview:
    """Return runs by status, the queue, and how many workspaces there are."""
    return service.overview(session, actor)


@router.get("/overview/history", operation_id="get_overview_history", summary="Read what became of runs over time")
def get_overview_history(session: SessionDep, actor: Reader, window: Window = "14d") -> OverviewHistory:
    """Return runs by outcome and their lead times, by hour or day (UTC), and plans that wait by age."""
    return history.history(session, actor, window)
