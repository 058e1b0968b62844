"""Halt and resume over HTTP, on database connections of their own."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import HaltSessionDep, SessionDep
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires
from app.halt import service
from app.halt.errors import NotHalted, ScopeForbidden
from app.halt.schemas import HaltOut, HaltRequest, HaltsOut, ResumeRequest

router = APIRouter(prefix="/terraform", tags=["halt"])


@router.post(
    "/halt", operation_id="halt", summary="Stop everything in a scope", responses=error_responses(ScopeForbidden)
)
def halt(
    wanted: HaltRequest, session: HaltSessionDep, actor: Annotated[Actor, requires(Permission.HALT_RAISE)]
) -> HaltOut:
    """Raise the fence and cancel every queued, running, waiting, blocked and approved run of the scope.

    The answer is immediate and counts what was stopped. Engines get SIGINT, and SIGKILL after the grace period;
    `GET /terraform/halt` shows who is still dying. Sending it again is harmless.
    """
    return service.halt(session, actor, wanted)


@router.get("/halt", operation_id="get_halt", summary="Read the standing halts")
def get_halt(session: SessionDep, actor: Annotated[Actor, requires(Permission.HALT_READ)]) -> HaltsOut:
    """Return the halts that stand over the caller's organization, with the proof of death of each run."""
    return service.standing(session, actor)


@router.post("/resume", operation_id="resume", summary="Lift a halt", responses=error_responses(NotHalted))
def resume(
    wanted: ResumeRequest, session: HaltSessionDep, actor: Annotated[Actor, requires(Permission.HALT_RESUME)]
) -> HaltOut:
    """Lower the fence of a scope. Runs that were halted stay cancelled: plan again."""
    return service.resume(session, actor, wanted)
