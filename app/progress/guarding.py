"""Who may go on watching: asked at the beginning and every few seconds, once for all connections of a credential."""

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from enum import Enum

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from app.core.db import unit_of_work
from app.core.permissions import Actor, Permission
from app.identity import service as identity
from app.identity.schemas import SESSION_COOKIE

_log = logging.getLogger(__name__)
AUTHORIZATION_SECONDS = 3.0
UNASKED_SECONDS = 60.0
"""For so long a connection outlives a database that can't be asked."""
_MOST_ANSWERS = 10_000


class Denied(Enum):
    """Why somebody may not watch, or not any more."""

    UNAUTHENTICATED = "the credential is not valid, or not any more"
    FORBIDDEN = "runs:read is missing"
    UNKNOWN = "rights can't be checked now"


@dataclass
class _Answer:
    asked_at: float
    actor: asyncio.Future[Actor | None]


_answers: dict[str, _Answer] = {}


async def actor_of(connection: HTTPConnection, *, is_new: bool = False) -> Actor | None:
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
    with unit_of_work() as session:
        return identity.resolve_connection(session, connection)


def _key_of(connection: HTTPConnection) -> str | None:
    secret = connection.headers.get("authorization") or connection.cookies.get(SESSION_COOKIE)
    return hashlib.sha256(secret.encode()).hexdigest() if secret else None


class Guard:
    """Watches over one connection of ``organization_id``, whose credential was good a moment ago."""

    def __init__(self, connection: HTTPConnection, organization_id: str) -> None:
        self._connection = connection
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
            actor = await actor_of(self._connection)
        except Exception as error:
            _log.warning("rights not checked now; trying again", extra={"error": str(error)})
            return Denied.UNKNOWN if time.monotonic() - self._good_at > UNASKED_SECONDS else None
        self._good_at = time.monotonic()
        return denial(actor, self._organization_id)


def denial(actor: Actor | None, organization_id: str | None = None) -> Denied | None:
    """Return why an actor may not watch runs (of this organization); None when it may."""
    if actor is None or (organization_id is not None and actor.organization_id != organization_id):
        return Denied.UNAUTHENTICATED
    return None if actor.may(Permission.RUNS_READ) else Denied.FORBIDDEN
