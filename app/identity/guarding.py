"""Who may watch over a connection that stays open.

It is asked at the beginning and every few seconds, once for all connections of a credential.
"""

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from app.core.connections import CLOSE_AGAIN, CLOSE_FORBIDDEN, CLOSE_UNAUTHENTICATED, origin_is_ours, refuse
from app.core.db import persistently, unit_of_work
from app.core.permissions import Actor, Permission
from app.identity.credentials import resolve_connection
from app.identity.schemas import SESSION_COOKIE

_log = logging.getLogger(__name__)
AUTHORIZATION_SECONDS = 3.0
UNASKED_SECONDS = 60.0
"""For so long a connection outlives a database that can't be asked."""
_MOST_ANSWERS = 10_000


class Denied(NamedTuple):
    """Why somebody may not watch, or not any more."""

    code: Literal["unauthenticated", "forbidden", "unavailable"]
    detail: str

    @property
    def close_code(self) -> int:
        """The code that a WebSocket is closed with."""
        return _CLOSE_CODES[self.code]


_CLOSE_CODES = {
    "unauthenticated": CLOSE_UNAUTHENTICATED,
    "forbidden": CLOSE_FORBIDDEN,
    "unavailable": CLOSE_AGAIN,
}


@dataclass
class _Answer:
    asked_at: float
    actor: asyncio.Future[Actor | None]


_answers: dict[str, _Answer] = {}
_UNKNOWN = Denied("unavailable", "rights can't be checked now")


async def actor_of_connection(connection: HTTPConnection, *, is_new: bool = False) -> Actor | None:
    """Return who a connection belongs to: by its credential of this moment when it is new, else of some seconds."""
    key = _key_of(connection)
    if key is None:
        return None
    now = time.monotonic()
    known = _answers.get(key)
    is_fresh = not is_new and known is not None and now - known.asked_at < AUTHORIZATION_SECONDS
    if known is None or not is_fresh or known.actor.get_loop() is not asyncio.get_running_loop():
        if len(_answers) >= _MOST_ANSWERS:
            _answers.clear()
        known = _answers[key] = _Answer(now, asyncio.ensure_future(run_in_threadpool(_resolve, connection)))
    return await asyncio.shield(known.actor)


def _resolve(connection: HTTPConnection) -> Actor | None:
    def look_up() -> Actor | None:
        with unit_of_work() as session:
            return resolve_connection(session, connection)

    return persistently(look_up)


def _key_of(connection: HTTPConnection) -> str | None:
    secret = connection.headers.get("authorization") or connection.cookies.get(SESSION_COOKIE)
    return hashlib.sha256(secret.encode()).hexdigest() if secret else None


class Guard:
    """Watches over one connection of ``organization_id``, which held ``permission`` a moment ago."""

    def __init__(self, connection: HTTPConnection, organization_id: str, permission: Permission) -> None:
        self._connection = connection
        self._permission = permission
        self._organization_id = organization_id
        self._asked_at = self._good_at = time.monotonic()

    def seconds_to_check(self) -> float:
        """Return how long until the credential is looked at again."""
        return max(0.01, self._asked_at + AUTHORIZATION_SECONDS - time.monotonic())

    async def denies(self) -> Denied | None:
        """Return why the connection must end; None while it may go on. Looks only when it is time to."""
        if time.monotonic() - self._asked_at < AUTHORIZATION_SECONDS:
            return None
        self._asked_at = time.monotonic()
        try:
            actor = await actor_of_connection(self._connection)
        except Exception as error:
            _log.warning("rights not checked now; trying again", extra={"error": str(error)})
            return _UNKNOWN if time.monotonic() - self._good_at > UNASKED_SECONDS else None
        self._good_at = time.monotonic()
        return _denial(actor, self._permission, self._organization_id)


async def admit(socket: WebSocket, permission: Permission) -> Actor | None:
    """Return who opens a WebSocket, which is still to be accepted; None when it was refused, and closed."""
    if not origin_is_ours(socket):
        await refuse(socket, CLOSE_FORBIDDEN, "this origin may not open the WebSocket")
        return None
    actor = await actor_of_connection(socket, is_new=True)
    if actor is None:
        await refuse(socket, CLOSE_UNAUTHENTICATED, "sign in first")
        return None
    denied = _denial(actor, permission, actor.organization_id)
    if denied is not None:
        await refuse(socket, denied.close_code, denied.detail)
        return None
    return actor


def _denial(actor: Actor | None, permission: Permission, organization_id: str) -> Denied | None:
    if actor is None or actor.organization_id != organization_id:
        return Denied("unauthenticated", "the credential is not valid, or not any more")
    return None if actor.may(permission) else Denied("forbidden", f"{permission} is missing")
