"""Fan-out: a halt calls the sibling systems that SLUICE_HALT_ENDPOINTS names, each once, in parallel.

The calls are rows, written in the halt's own transaction. After its commit the process that took the halt makes them, a
thread each, without broker: so they work with Redis down, and a system that hangs holds up neither the answer nor the
other systems. Each attempt claims its row by compare-and-swap, and what a dead process left is taken over.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import httpx
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import after_commit, unit_of_work
from app.core.halt_endpoints import HaltEndpoint
from app.core.ids import new_id
from app.core.masking import Masker, StreamMasker
from app.core.settings import get_settings
from app.core.texts import one_line
from app.halt import call_repository
from app.halt.call_repository import Claimed
from app.halt.models import Halt, HaltCall
from app.halt.schemas import REASON_CHARACTERS

HEADER = "X-Halt-Id"
ATTEMPTS = 4
PAUSES_SECONDS = (0.5, 1.0, 2.0)
CONNECT_SECONDS = 3.0
GRACE_SECONDS = 5.0
"""How long after its time-out a call stays its claimer's, before anybody takes it over."""
GIVE_UP_SECONDS = 600.0
_DETAIL_CHARACTERS = 200
_ANSWER_BYTES = 8192
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_log = logging.getLogger(__name__)


def want(session: Session, halt: Halt) -> None:
    """Write a call for each sibling system, and make them once the halt has committed."""
    rows = [
        HaltCall(id=new_id("hcall"), halt_id=halt.id, name=endpoint.name, url=endpoint.shown_url)
        for endpoint in get_settings().siblings
    ]
    if rows:
        call_repository.add(session, rows)
        after_commit(session, partial(start, [row.id for row in rows]))


def start(call_ids: Sequence[str]) -> None:
    """Make calls, each in a thread of its own; returns at once."""
    for call_id in call_ids:
        threading.Thread(target=_carry_out, args=(call_id,), name=f"fanout-{call_id[-6:]}", daemon=True).start()


def take_over() -> None:
    """Make the calls that wait and that nobody has; safe beside itself, and in several processes."""
    at = clock.now()
    known = {endpoint.name for endpoint in get_settings().siblings}
    with unit_of_work() as session:
        call_repository.give_up_older(
            session,
            at - timedelta(seconds=GIVE_UP_SECONDS),
            detail="Not known: no process that still names this system in SLUICE_HALT_ENDPOINTS came to call it.",
            at=at,
        )
        due = call_repository.due(session, at, at - timedelta(seconds=GRACE_SECONDS))
    start([call_id for call_id, name in due if name in known])


def _carry_out(call_id: str) -> None:
    """Try a call until it is answered or its attempts are used up."""
    seen: int | None = None
    try:
        while True:
            claimed = _claim(call_id, seen)
            if claimed is None:
                return
            seen = claimed.attempts
            if claimed.attempts > ATTEMPTS:
                _note(claimed, _Outcome("timed_out", None, "Not known: no attempt came to its end.", True))
                return
            endpoint = next((found for found in get_settings().siblings if found.name == claimed.name), None)
            if endpoint is None or not _try_once(endpoint, claimed):
                return
            time.sleep(_pause(claimed.attempts))
    except SQLAlchemyError as error:
        # Whoever looks next finds it by its claim.
        _log.warning("a call of the fan-out is left to be taken over", extra={"call": call_id, "error": str(error)})


def _claim(call_id: str, seen: int | None) -> Claimed | None:
    at = clock.now()
    longest = max((endpoint.timeout_seconds for endpoint in get_settings().siblings), default=0.0)
    until = at + timedelta(seconds=longest + CONNECT_SECONDS + GRACE_SECONDS)
    with unit_of_work("halt") as session:
        return call_repository.claim(session, call_id, seen=seen, at=at, until=until)


def _try_once(endpoint: HaltEndpoint, claimed: Claimed) -> bool:
    """Make one attempt and note what it came to; return whether to try again."""
    outcome = _call(endpoint, claimed)
    is_noted = _note(claimed, outcome)
    facts = {
        "halt_id": claimed.halt_id,
        "sibling": claimed.name,
        "attempt": claimed.attempts,
        "outcome": outcome.status,
    }
    _log.log(logging.INFO if outcome.status == "answered" else logging.WARNING, "fan-out", extra=facts)
    return is_noted and not _is_last(claimed, outcome)


def _is_last(claimed: Claimed, outcome: "_Outcome") -> bool:
    return outcome.is_final or claimed.attempts >= ATTEMPTS


def _note(claimed: Claimed, outcome: "_Outcome") -> bool:
    """Note what an attempt came to; False when somebody else has the call by now."""
    is_last, detail, at = _is_last(claimed, outcome), outcome.detail, clock.now()
    if not is_last:
        detail = f"{detail.rstrip('.')}. Trying again."
    with unit_of_work("halt") as session:
        return call_repository.note(
            session,
            claimed,
            status=outcome.status if is_last else "pending",
            http_status=outcome.http_status,
            detail=detail,
            ended_at=at if is_last else None,
            until=None if is_last else at + timedelta(seconds=_pause(claimed.attempts) + GRACE_SECONDS),
        )


class _Outcome(NamedTuple):
    """What an attempt came to. ``is_final``: trying again is of no use."""

    status: str
    http_status: int | None
    detail: str
    is_final: bool


def _call(endpoint: HaltEndpoint, claimed: Claimed) -> _Outcome:
    try:
        token = endpoint.secret()
    except ValueError as error:
        return _Outcome("failed", None, f"Not called: {error}.", True)
    headers = {
        HEADER: claimed.origin_id or claimed.halt_id,
        "User-Agent": "sluice-halt",
        "Accept-Encoding": "identity",
    }
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    said = f"{claimed.reason} (halted in Sluice by {claimed.actor_name})"
    body = {"scope": endpoint.scope, "reason": said[:REASON_CHARACTERS]}
    try:
        return asyncio.run(_ask(endpoint, token, headers, body))
    except (httpx.TimeoutException, TimeoutError):
        return _Outcome("timed_out", None, f"Not known: no answer within {endpoint.timeout_seconds:g} s.", False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _Outcome("failed", None, f"Not known: it can't be reached ({type(error).__name__}).", False)


async def _ask(endpoint: HaltEndpoint, token: str | None, headers: dict[str, str], body: dict[str, str]) -> _Outcome:
    """Send one request, and return what the answer says.

    Raises ``TimeoutError`` also where a system says something all the time and never comes to an answer: httpx counts
    from one byte to the next.
    """
    connect_seconds = min(CONNECT_SECONDS, endpoint.timeout_seconds)
    limits = httpx.Timeout(endpoint.timeout_seconds, connect=connect_seconds)
    is_local = httpx.URL(endpoint.url).host in _LOOPBACK
    judged: _Outcome | None = None
    try:
        async with (
            asyncio.timeout(connect_seconds + endpoint.timeout_seconds),
            httpx.AsyncClient(timeout=limits, follow_redirects=False, trust_env=not is_local) as client,
            client.stream("POST", endpoint.url, json=body, headers=headers) as answer,
        ):
            # What it says beside its status, which is the answer, may never end.
            judged = _judged(answer.status_code, "")
            judged = _judged(answer.status_code, await _text(answer, endpoint.timeout_seconds / 2, token))
    except TimeoutError:
        if judged is None:
            raise
    return judged


def _judged(http_status: int, text: str) -> _Outcome:
    said = f" {text}" if text else ""
    if 200 <= http_status < 300:
        return _Outcome("answered", http_status, f"It answered {http_status}.{said}", True)
    if http_status in {408, 429} or http_status >= 500:
        return _Outcome("failed", http_status, f"It failed: HTTP {http_status}.{said}", False)
    what = "It answered with a redirect, which is not followed" if 300 <= http_status < 400 else "It refused"
    return _Outcome("failed", http_status, f"{what}: HTTP {http_status}.{said}", True)


async def _text(answer: httpx.Response, seconds: float, token: str | None) -> str:
    """Return what an answer says, for people: the sentence of a problem document, else its beginning."""
    body = b""
    is_cut = False
    try:
        async with asyncio.timeout(seconds):
            # As it came: a small answer must not unpack into a large one.
            async for part in answer.aiter_raw():
                body += part
                is_cut = len(body) > _ANSWER_BYTES
                if is_cut:
                    break
    except (httpx.HTTPError, TimeoutError):
        # The status has come, and that is the answer.
        is_cut = True
    text = body[:_ANSWER_BYTES].decode(errors="replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        said = (document.get(key) for key in ("detail", "message", "title", "status"))
        text, is_cut = next((value for value in said if value and isinstance(value, str)), ""), False
    # A system may say the token back, in whatever spelling, and the end of what was read may cut it in two.
    masker = Masker([token] if token is not None else [])
    return one_line(StreamMasker(masker).piece(text, is_last=not is_cut))[:_DETAIL_CHARACTERS]


def _pause(attempts: int) -> float:
    return PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS)) - 1]
