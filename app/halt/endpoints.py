"""Halt and resume over HTTP, on database connections and threads of their own."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header

from app.core.db import HaltSessionDep, SessionDep, persistently, unit_of_work
from app.core.http import error_responses
from app.core.lifeline import PATIENCE_SECONDS, on_lifeline
from app.core.permissions import Actor, Permission, requires
from app.halt import service
from app.halt.errors import HaltNotFound, NotHalted, ScopeForbidden
from app.halt.schemas import HaltOut, HaltRequest, HaltsOut, ResumeRequest
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["halt"])
GivenId = Annotated[
    str | None,
    Header(
        alias="X-Halt-Id",
        pattern=r"^[A-Za-z0-9._:-]{1,100}$",
        description="Id of the halt that a sibling system fans out. A halt with an id that is known is not fanned out "
        "again, so a circle of systems comes to its end.",
    ),
]


@router.post(
    "/halt",
    operation_id="halt",
    summary="Stop everything in a scope",
    responses=error_responses(WorkspaceNotFound, ScopeForbidden),
)
async def halt(
    wanted: HaltRequest,
    actor: Annotated[Actor, requires(Permission.HALT_RAISE)],
    given_id: GivenId = None,
) -> HaltOut:
    """Raise the fence and cancel every queued, running, waiting, blocked and approved run of the scope.

    The answer is immediate and counts what was stopped. Engines get SIGINT, and SIGKILL after the grace period;
    `GET /terraform/halt` and the WebSocket `/terraform/ws/halt` show who is still dying. Sending it again is harmless.
    """
    return await on_lifeline(_halt, actor, wanted, given_id)


def _halt(actor: Actor, wanted: HaltRequest, given_id: str | None) -> HaltOut:
    """Mark in one transaction, and look at what that stopped in the next: the fence is held no longer than it must.

    A halt may be done twice, so what the database loses while it starts again is done again.
    """

    def mark() -> str:
        with unit_of_work("halt") as session:
            return service.mark(session, actor, wanted, given_id)

    def look(halt_id: str) -> HaltOut:
        with unit_of_work("halt") as session:
            return service.get(session, actor, halt_id)

    halt_id = persistently(mark, for_seconds=PATIENCE_SECONDS)
    return persistently(partial(look, halt_id), for_seconds=PATIENCE_SECONDS)


@router.get("/halt", operation_id="get_halt", summary="Read the standing halts")
def get_halt(session: SessionDep, actor: Annotated[Actor, requires(Permission.HALT_READ)]) -> HaltsOut:
    """Return the halts over the caller's organization: what each stopped, how each death is known, what was kept."""
    return service.standing(session, actor)


@router.get(
    "/halt/{halt_id}", operation_id="get_one_halt", summary="Read one halt", responses=error_responses(HaltNotFound)
)
def get_one_halt(halt_id: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.HALT_READ)]) -> HaltOut:
    """Return one halt, whether it stands or not."""
    return service.get(session, actor, halt_id)


@router.post(
    "/resume",
    operation_id="resume",
    summary="Lift a halt",
    responses=error_responses(WorkspaceNotFound, ScopeForbidden, NotHalted),
)
async def resume(
    wanted: ResumeRequest, session: HaltSessionDep, actor: Annotated[Actor, requires(Permission.HALT_RESUME)]
) -> HaltOut:
    """Lower the fence of a scope. Runs that were halted stay cancelled: plan again. Sibling systems are not resumed."""
    return await on_lifeline(service.resume, session, actor, wanted)
