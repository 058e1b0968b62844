"""Progress over HTTP, server-sent events and WebSocket: the same records by each way."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from starlette.concurrency import run_in_threadpool

from app.core.connections import CLOSE_GONE, CLOSE_NOT_FOUND, origin_is_ours, refuse
from app.core.db import SessionDep, unit_of_work
from app.core.errors import AppError, Forbidden
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires
from app.identity import service as identity
from app.progress import event_stream, service, socket
from app.progress.errors import LogRemoved, StreamNotFound
from app.progress.hub import Hub
from app.progress.schemas import ProgressPage

router = APIRouter(prefix="/terraform", tags=["progress"])
_hub = Hub()
Reader = Annotated[Actor, requires(Permission.RUNS_READ)]


@router.get(
    "/runs/{run_id}/progress",
    operation_id="read_progress",
    summary="Read a run's log lines and events",
    response_model=ProgressPage,
    responses=error_responses(StreamNotFound, LogRemoved),
)
def read_progress(
    run_id: str,
    session: SessionDep,
    actor: Reader,
    after: Annotated[int, Query(ge=0, description="First offset wanted: `next` of the answer before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=service.MAX_RECORDS)] = 1000,
) -> Response:
    """Return records from ``after`` on. Polling this gives the same records as the WebSocket."""
    page = service.read_encoded(session, run_id, organization_id=actor.organization_id, after=after, limit=limit)
    return Response(page.body, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get(
    "/runs/{run_id}/progress/events",
    operation_id="follow_progress",
    summary="Follow a run as server-sent events",
    response_class=Response,
    responses={
        200: {
            "content": {event_stream.MEDIA_TYPE: {"schema": {"type": "string"}}},
            "description": "`records` events, each with a page as its data and the offset to go on at as its id",
        },
        **error_responses(StreamNotFound, LogRemoved),
    },
)
def follow_progress(
    request: Request,
    run_id: str,
    actor: Reader,
    after: Annotated[int, Query(ge=0, description="First offset wanted.")] = 0,
    heartbeat: Annotated[float, Query(ge=1, le=60, description="Seconds of silence before a comment.")] = 15,
    last_event_id: Annotated[
        str | None, Header(description="Goes before `after`: what a browser sends when it connects again.")
    ] = None,
) -> event_stream.EventStream:
    """Replay a run's records from ``after``, then follow until the stream is complete; for where no WebSocket goes.

    A comment comes at once and after each silence. The last page says `closed`. A `denied` event ends the answer when
    the credential is revoked meanwhile or loses `runs:read`.
    """
    if not origin_is_ours(request):
        raise Forbidden("This origin may not read Sluice. Add it to SLUICE_TRUSTED_ORIGINS when it should.")
    organization_id = actor.organization_id
    end = _end_of(run_id, organization_id)
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19:
        after = int(last_event_id)
    return event_stream.EventStream(request, _hub, run_id, organization_id, min(after, end), end, heartbeat)


@router.websocket("/ws/runs/{run_id}")
async def follow_run(websocket: WebSocket, run_id: str, after: Annotated[int, Query(ge=0)] = 0) -> None:
    """Replay a run's records from ``after``, then follow. Frames: ``records``, and ``ping`` every 15 s of silence.

    Closes with 4401 (no valid credential, also when it is revoked later), 4403 (no permission, also when it is lost
    later, or a foreign origin), 4404 (no such run), 4410 (its log is no longer kept), 1013 (try again later), or 1000
    when the stream is complete and was sent whole.
    """
    actor = await identity.admit(websocket, Permission.RUNS_READ)
    if actor is None:
        return
    try:
        end = await run_in_threadpool(_end_of, run_id, actor.organization_id)
    except LogRemoved:
        await refuse(websocket, CLOSE_GONE, "the log is no longer kept")
        return
    except AppError:
        await refuse(websocket, CLOSE_NOT_FOUND, "no such run")
        return
    await websocket.accept()
    await socket.follow(websocket, _hub, run_id, actor.organization_id, min(after, end), end)


def _end_of(run_id: str, organization_id: str) -> int:
    with unit_of_work() as session:
        return service.end_of(session, run_id, organization_id)
