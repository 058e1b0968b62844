"""The halts as a WebSocket: the countdown to "all dead" as it goes, and nothing while nothing changes."""

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app.core.connections import CLOSE_COMPLETE, until_gone
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.permissions import Actor, Permission
from app.core.websocket import channel_of
from app.halt import service
from app.identity import service as identity

router = APIRouter(prefix="/terraform", tags=["halt"])

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 60.0
"""A watcher that takes nothing for so long is dropped."""
_log = logging.getLogger(__name__)


class _View(NamedTuple):
    """What was read, when that began, and when it was asked for last; both of the monotonic clock."""

    begun: float
    asked: float
    text: str


class Views:
    """What each organization sees, read once for all of its watchers in this process."""

    def __init__(self) -> None:
        self._seen: dict[str, _View] = {}

    async def text(self, actor: Actor, since: float) -> str:
        """Return the halts as JSON: at most half a second old, and not as they were before ``since`` (monotonic).

        Who comes after a halt must not be shown what was read before it, and take that for the end of it.
        """
        now = time.monotonic()
        known = self._seen.get(actor.organization_id)
        if known is not None and known.begun >= since:
            if now - known.asked < LOOK_SECONDS:
                return known.text
            # Noted before it is read, so that watchers who come meanwhile take what there is.
            self._seen[actor.organization_id] = known._replace(asked=now)
        text = await run_in_threadpool(_read, actor)
        latest = self._seen.get(actor.organization_id)
        if latest is None or latest.begun < now:
            self._seen[actor.organization_id] = _View(now, time.monotonic(), text)
        return text


_views = Views()


@router.websocket("/ws/halt")
async def follow_halts(socket: WebSocket, until_dead: Annotated[bool, Query()] = False) -> None:
    """Send the halts as `GET /terraform/halt` gives them, whenever they change; twice a second while runs die.

    Frames: ``halts`` (``active`` and ``ending``) and, in silence, ``ping`` every 15 s. With ``until_dead`` it closes
    with 1000 once no run is dying. Closes with 4401 (no valid credential, also when it is revoked later), 4403 (no
    ``halt:read``, or a foreign origin), and 1013 (try again later) when nothing can be asked for a minute.
    """
    actor = await identity.admit(socket, Permission.HALT_READ)
    if actor is None:
        return
    await socket.accept()
    reader = asyncio.create_task(_drain(socket))
    try:
        await _follow(socket, actor, reader, until_dead=until_dead)
    except TimeoutError:
        if (channel := channel_of(socket.scope)) is not None:
            channel.abort()
    except (WebSocketDisconnect, RuntimeError):
        return
    finally:
        reader.cancel()


async def _follow(socket: WebSocket, actor: Actor, reader: "asyncio.Task[None]", *, until_dead: bool) -> None:
    sent = time.monotonic()
    guard = identity.Guard(socket, actor.organization_id, Permission.HALT_READ)
    last = ""
    begun = time.monotonic()
    while not reader.done():
        text = await _text(actor, begun)
        moment = time.monotonic()
        if text is not None and text != last:
            await _send(socket, '{"type":"halts",' + text[1:])
            last, sent = text, moment
        elif moment - sent >= HEARTBEAT_SECONDS:
            await _send(socket, '{"type":"ping"}')
            sent = moment
        if until_dead and text is not None and _dying(text) == 0:
            await asyncio.wait_for(socket.close(CLOSE_COMPLETE, "all dead"), SEND_SECONDS)
            return
        if (denied := await guard.denies()) is not None:
            await asyncio.wait_for(socket.close(denied.close_code, denied.detail), SEND_SECONDS)
            return
        await asyncio.wait({reader}, timeout=LOOK_SECONDS)


async def _send(socket: WebSocket, text: str) -> None:
    await asyncio.wait_for(socket.send_text(text), SEND_SECONDS)


async def _text(actor: Actor, since: float) -> str | None:
    """Return the halts as JSON; None while the database can't be asked, as while it starts again."""
    try:
        return await _views.text(actor, since)
    except (SQLAlchemyError, AppError) as error:
        _log.warning("halts can't be read now; trying again", extra={"error": str(error)})
        return None


def _dying(text: str) -> int:
    found = json.loads(text)
    return sum(int(halt["runs"]["dying"]) for halt in (*found["active"], *found["ending"]))


def _read(actor: Actor) -> str:
    with unit_of_work() as session:
        return service.standing(session, actor).model_dump_json()


async def _drain(socket: WebSocket) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await until_gone(socket.receive)
