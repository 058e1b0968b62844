"""The inbox over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.permissions import Actor, Permission, requires
from app.inbox import service
from app.inbox.schemas import Inbox

router = APIRouter(prefix="/terraform", tags=["inbox"])


@router.get("/inbox", operation_id="get_inbox", summary="Read what waits for a person")
def get_inbox(session: SessionDep, actor: Annotated[Actor, requires(Permission.RUNS_READ)]) -> Inbox:
    """Return what waits at the gate, is blocked, failed, or holds a dead lock; `for_you` marks what you can act on."""
    return service.inbox(session, actor)
