"""The halts as a WebSocket: the countdown to "all dead" as it goes, and nothing while nothing changes."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from app.core.db import unit_of_work
from app.core.permissions import Actor, Permission
from app.core.settings import get_settings
from app.halt import service
from app.identity import service as identity

router = APIRouter(prefix="/terraform", tags=["halt"])

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
AUTHORIZATION_SECONDS = 5.0
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403


class Views:
    """What each organization sees, read once for all of its watchers in this process."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, str]] = {}

    async def text(self, actor: Actor) -> str:
        """Return the halts as JSON, at most half a second old."""
        at, known = self._seen.get(actor.organization_id, (0.0, ""))
        if time.monotonic() - at < LOOK_SECONDS:
            return known
        # Noted before it is read, so that watchers who come meanwhile take what there is.
        if known:
            self._seen[actor.organization_id] = (time.monotonic(), known)
        text = await run_in_threadpool(_read, actor)
        self._seen[actor.organization_id] = (time.monotonic(), text)
        return text


_views = Views()


@router.websocket("/ws/halt")
async def follow_halts(socket: WebSocket, until_dead: Annotated[bool, Query()] = False) -> None:
    """Send the halts as `GET /terraform/halt` gives them, whenever they change; twice a second while runs die.

    Frames: ``halts`` (``active`` and ``ending``) and, in silence, ``ping`` every 15 s. With ``until_dead`` it closes
    with 1000 once no run is dying. Closes with 4401 (no valid credential, also when it is revoked later) and 4403 (no
    ``halt:read``, or a foreign origin).
    """
    await socket.accept()
    if not _origin_is_ours(socket):
        await socket.close(CLOSE_FORBIDDEN, "this origin may not open the WebSocket")
        return
    actor = await run_in_threadpool(_actor_of, socket)
    if actor is None:
        await socket.close(CLOSE_UNAUTHENTICATED, "sign in first")
        return
    if not actor.may(Permission.HALT_READ):
        await socket.close(CLOSE_FORBIDDEN, "halt:read is missing")
        return
    reader = asyncio.create_task(_drain(socket))
    try:
        await _follow(socket, actor, reader, until_dead=until_dead)
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        reader.cancel()


async def _follow(socket: WebSocket, actor: Actor, reader: "asyncio.Task[None]", *, until_dead: bool) -> None:
    checked = sent = time.monotonic()
    last = ""
    while not reader.done():
        text = await _views.text(actor)
        moment = time.monotonic()
        if text != last:
            await socket.send_text('{"type":"halts",' + text[1:])
            last, sent = text, moment
        elif moment - sent >= HEARTBEAT_SECONDS:
            await socket.send_text('{"type":"ping"}')
            sent = moment
        if until_dead and _dying(text) == 0:
            await socket.close(1000, "all dead")
            return
        if moment - checked >= AUTHORIZATION_SECONDS:
            checked = moment
            now = await run_in_threadpool(_actor_of, socket)
            if now is None or not now.may(Permission.HALT_READ):
                await socket.close(CLOSE_UNAUTHENTICATED, "the credential is no longer valid")
                return
        await asyncio.wait({reader}, timeout=LOOK_SECONDS)


def _dying(text: str) -> int:
    found = json.loads(text)
    return sum(int(halt["runs"]["dying"]) for halt in (*found["active"], *found["ending"]))


def _read(actor: Actor) -> str:
    with unit_of_work() as session:
        return service.standing(session, actor).model_dump_json()


async def _drain(socket: WebSocket) -> None:
    """Read and drop what the client sends, so that its close is noticed."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_text()


def _actor_of(socket: WebSocket) -> Actor | None:
    with unit_of_work() as session:
        return identity.resolve_connection(session, socket)


def _origin_is_ours(socket: WebSocket) -> bool:
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    allowed = {get_settings().url, *get_settings().trusted_origins}
    return origin.rstrip("/") in allowed or urlsplit(origin).netloc == socket.headers.get("host")
