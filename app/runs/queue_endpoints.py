"""The queue over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.pages import Page
from app.core.permissions import Actor, Permission, requires
from app.runs import service
from app.runs.queue_schemas import QueueLimitIn, QueueOut, WorkerOut

router = APIRouter(prefix="/terraform", tags=["queue"])
Reader = Annotated[Actor, requires(Permission.RUNS_READ)]
Manager = Annotated[Actor, requires(Permission.ORGANIZATION_MANAGE)]


@router.get(
    "/queue",
    operation_id="get_queue",
    summary="Read how the queue stands",
)
def get_queue(session: SessionDep, actor: Reader) -> QueueOut:
    """Return how many runs wait and execute, the organization's limit, and what the workers can do."""
    return service.queue(session, actor)


@router.put(
    "/queue/limit",
    operation_id="set_queue_limit",
    summary="Limit how many runs execute at once",
)
def set_queue_limit(wanted: QueueLimitIn, session: SessionDep, actor: Manager) -> QueueOut:
    """Set how many runs of the organization execute at once, over all workers; speculative ones count.

    Give `own_limit` (null: no limit), or `is_default: true` for the installation's. What runs already goes on; an apply
    goes before a plan whenever one may start.
    """
    return service.set_queue_limit(session, actor, wanted)


@router.get(
    "/workers",
    operation_id="list_workers",
    summary="List the workers",
)
def list_workers(session: SessionDep, actor: Manager) -> Page[WorkerOut]:
    """List the installation's workers, for admins. Only the organization that operates it hears where they run."""
    return service.workers(session, actor)
