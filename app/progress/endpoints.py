"""Progress over HTTP and WebSocket."""

import asyncio
import time
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from app.core.db import SessionDep, unit_of_work
from app.core.errors import AppError
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires
from app.core.settings import get_settings
from app.identity import service as identity
from app.progress import hub as fanout
from app.progress import service
from app.progress.errors import LogRemoved, StreamNotFound
from app.progress.schemas import ProgressPage

router = APIRouter(prefix="/terraform", tags=["progress"])
_hub = fanout.Hub()

HEARTBEAT_SECONDS = 15.0
AUTHORIZATION_SECONDS = 5.0
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_NOT_FOUND = 4404
CLOSE_GONE = 4410


@router.get(
    "/runs/{run_id}/progress",
    operation_id="read_progress",
    summary="Read a run's log lines and events",
    responses=error_responses(StreamNotFound, LogRemoved),
)
def read_progress(
    run_id: str,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.RUNS_READ)],
    after: Annotated[int, Query(ge=0, description="First offset wanted: `next` of the answer before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=service.MAX_RECORDS)] = 1000,
) -> ProgressPage:
    """Return records from ``after`` on. Polling this gives the same records as the WebSocket."""
    return service.read(session, run_id, organization_id=actor.organization_id, after=after, limit=limit)


@router.websocket("/ws/runs/{run_id}")
async def follow_run(socket: WebSocket, run_id: str, after: Annotated[int, Query(ge=0)] = 0) -> None:
    """Replay a run's records from ``after``, then follow. Frames: ``records``, and ``ping`` every 15 s of silence.

    Closes with 4401 (no valid credential, also when it is revoked later), 4403 (no permission or a foreign origin),
    4404 (no such run), 4410 (its log is no longer kept), or 1000 when the stream is complete and was sent whole.
    """
    if not _origin_is_ours(socket):
        await _refuse(socket, CLOSE_FORBIDDEN, "this origin may not open the WebSocket")
        return
    actor = await run_in_threadpool(_actor_of, socket)
    if actor is None:
        await _refuse(socket, CLOSE_UNAUTHENTICATED, "sign in first")
        return
    if not actor.may(Permission.RUNS_READ):
        await _refuse(socket, CLOSE_FORBIDDEN, "runs:read is missing")
        return
    try:
        await fanout.load(run_id, actor.organization_id, after)
    except LogRemoved:
        await _refuse(socket, CLOSE_GONE, "the log is no longer kept")
        return
    except AppError:
        await _refuse(socket, CLOSE_NOT_FOUND, "no such run")
        return
    await socket.accept()
    reader = asyncio.create_task(_drain(socket))
    try:
        await _follow(socket, run_id, actor, after, reader)
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        reader.cancel()


async def _follow(socket: WebSocket, run_id: str, actor: Actor, cursor: int, reader: "asyncio.Task[None]") -> None:
    checked = sent = time.monotonic()
    async with _hub.watch(run_id, actor.organization_id, cursor) as follower:
        while not reader.done():
            frame = await follower.after(cursor, 1.0)
            moment = time.monotonic()
            if moment - checked >= AUTHORIZATION_SECONDS:
                checked = moment
                if await run_in_threadpool(_actor_of, socket) is None:
                    await socket.close(CLOSE_UNAUTHENTICATED, "the credential is no longer valid")
                    return
            if frame is not None:
                await socket.send_text(frame.text)
                sent, cursor = moment, frame.next
                if frame.closed:
                    await socket.close(1000, "complete")
                    return
            elif moment - sent >= HEARTBEAT_SECONDS:
                await socket.send_text('{"type":"ping"}')
                sent = moment


async def _drain(socket: WebSocket) -> None:
    """Read and drop what the client sends, so that its close is noticed."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()


async def _refuse(socket: WebSocket, code: int, reason: str) -> None:
    await socket.accept()
    await socket.close(code, reason)


def _actor_of(socket: WebSocket) -> Actor | None:
    with unit_of_work() as session:
        return identity.resolve_connection(session, socket)


def _origin_is_ours(socket: WebSocket) -> bool:
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    allowed = {get_settings().url, *get_settings().trusted_origins}
    return origin.rstrip("/") in allowed or urlsplit(origin).netloc == socket.headers.get("host")
