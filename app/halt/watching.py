"""The halts as a WebSocket: the countdown to "all dead" as it goes, and nothing while nothing changes."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from app.core.connections import CLOSE_COMPLETE, until_gone
from app.core.db import unit_of_work
from app.core.permissions import Actor, Permission
from app.halt import service
from app.identity import service as identity

router = APIRouter(prefix="/terraform", tags=["halt"])

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0


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
    actor = await identity.admit(socket, Permission.HALT_READ)
    if actor is None:
        return
    await socket.accept()
    reader = asyncio.create_task(_drain(socket))
    try:
        await _follow(socket, actor, reader, until_dead=until_dead)
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        reader.cancel()


async def _follow(socket: WebSocket, actor: Actor, reader: "asyncio.Task[None]", *, until_dead: bool) -> None:
    sent = time.monotonic()
    guard = identity.Guard(socket, actor.organization_id, Permission.HALT_READ)
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
            await socket.close(CLOSE_COMPLETE, "all dead")
            return
        if (denied := await guard.denies()) is not None:
            await socket.close(denied.close_code, denied.detail)
            return
        await asyncio.wait({reader}, timeout=LOOK_SECONDS)


def _dying(text: str) -> int:
    found = json.loads(text)
    return sum(int(halt["runs"]["dying"]) for halt in (*found["active"], *found["ending"]))


def _read(actor: Actor) -> str:
    with unit_of_work() as session:
        return service.standing(session, actor).model_dump_json()


async def _drain(socket: WebSocket) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await until_gone(socket.receive)
