"""Drills over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.fence.errors import Halted
from app.halt import drilling
from app.halt.drill_schemas import DrillOut, DrillRequest
from app.halt.errors import DrillNotFound, DrillNotPossible
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["halt"])
Reader = Annotated[Actor, requires(Permission.HALT_READ)]


@router.post(
    "/halt/drills",
    operation_id="begin_halt_drill",
    status_code=202,
    summary="Prove that the kill switch works",
    responses=error_responses(WorkspaceNotFound, DrillNotPossible, Halted),
)
def begin_halt_drill(
    wanted: DrillRequest, session: SessionDep, actor: Annotated[Actor, requires(Permission.HALT_DRILL)]
) -> DrillOut:
    """Begin a drill: a run is started, its workspace alone is halted, its death awaited, a start refused, resumed.

    The answer comes at once; `GET /terraform/halt/drills/{drill_id}` shows how far it is. No other workspace's runs are
    touched, and no sibling system is called.
    """
    return drilling.begin(session, actor, wanted)


@router.get("/halt/drills", operation_id="list_halt_drills", summary="List drills")
def list_halt_drills(session: SessionDep, actor: Reader, params: PageDep) -> Page[DrillOut]:
    """Return the organization's drills, newest first."""
    return drilling.history(session, actor, params)


@router.get(
    "/halt/drills/{drill_id}",
    operation_id="get_halt_drill",
    summary="Read one drill",
    responses=error_responses(DrillNotFound),
)
def get_halt_drill(drill_id: str, session: SessionDep, actor: Reader) -> DrillOut:
    """Return one drill, step by step."""
    return drilling.get(session, actor, drill_id)
