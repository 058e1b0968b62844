"""Sending deliveries: claimed, sent outside of any transaction, and what came of it written down.

A delivery is tried at once and then after ever longer pauses, for about a day; its id and its body are the same each
time. A destination that has taken nothing since one such day began is disabled, which is an audit event, and what
waits for it is dropped. A worker that dies between sending and writing leaves its claim to lapse: then the delivery
comes again, with the id that the receiver knows.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.audit import service as audit
from app.core import clock
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.outgoing import Answer, Resolve, send
from app.core.permissions import system_actor
from app.core.retry_after import retry_after
from app.notifications import messages, repository
from app.notifications.models import NotificationDestination
from app.notifications.sealed import secret_binding, url_binding
from app.notifications.service import allowed

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800))
"""Between attempts: 24 hours in all. Each is made up to a fifth longer or shorter, so that not all come at once."""
CLAIM = timedelta(seconds=60)
KEPT = timedelta(days=30)
SECONDS = 10.0
MOST_RESPONSE = 1000
GONE = 410
Jitter = Callable[[], float]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    delivery_id: str
    attempt: int
    organization_id: str
    destination_id: str
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class _Outcome:
    is_success: bool
    http_status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None
    retry_after: timedelta | None = None


def deliver(delivery_id: str, *, resolve: Resolve | None = None, jitter: Jitter | None = None) -> bool:
    """Make one attempt, when one is due and nobody else makes it; return whether it arrived.

    ``resolve`` gives the addresses of a name, ``jitter`` a number from 0 to 1.
    """
    with unit_of_work() as session:
        now = clock.now()
        row = repository.claim(session, delivery_id, now, now + CLAIM)
        if row is None:
            return False
        destination = session.get(NotificationDestination, row.destination_id)
        if destination is None:
            return False
        if not destination.is_enabled and row.event != "test":
            dropped = {"status": "dropped", "error": "The destination is disabled.", "ended_at": now}
            repository.end_attempt(session, row.id, row.attempts, dropped)
            return False
        if row.attempts > len(PAUSES) + 1:
            ended = {"status": "failed", "error": "No attempt came to its end; the log says more.", "ended_at": now}
            repository.end_attempt(session, row.id, row.attempts, ended)
            return False
        own = (destination.organization_id, destination.id)
        body = messages.body_of("slack" if destination.format == "slack" else "sluice", row.payload)
        secret = key_ring().open(destination.sealed_secret, secret_binding(*own)).decode()
        job = _Job(
            delivery_id=row.id,
            attempt=row.attempts,
            organization_id=row.organization_id,
            destination_id=destination.id,
            url=key_ring().open(destination.sealed_url, url_binding(*own)).decode(),
            body=body,
            headers={
                "Content-Type": "application/json",
                **messages.signed_headers(secret, row.id, int(now.timestamp()), body),
            },
        )
    outcome = _send(job, resolve)
    _finish(job, outcome, jitter or _random)
    return outcome.is_success


def _send(job: _Job, resolve: Resolve | None) -> _Outcome:
    try:
        answer = send(
            "POST",
            job.url,
            body=job.body,
            headers=job.headers,
            allowed=allowed(),
            seconds=SECONDS,
            most_bytes=MOST_RESPONSE,
            resolve=resolve,
        )
    except AppError as error:
        return _Outcome(False, None, None, error.detail, None)
    milliseconds = int(answer.seconds * 1000)
    return _Outcome(
        answer.is_success,
        answer.status,
        _text(answer.body),
        _said(answer),
        milliseconds,
        _asked_pause(answer),
    )


def _said(answer: Answer) -> str | None:
    if answer.is_success:
        return None
    if 300 <= answer.status < 400:
        return f"It answered {answer.status} and redirects, which is not followed: name the address that it leads to."
    return f"It answered {answer.status}."


def _text(body: bytes) -> str:
    return body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _asked_pause(answer: Answer) -> timedelta | None:
    seconds = retry_after(answer.headers, longest=PAUSES[-1].total_seconds())
    return None if seconds is None else timedelta(seconds=seconds)


def _finish(job: _Job, outcome: _Outcome, jitter: Jitter) -> None:
    with unit_of_work() as session:
        now = clock.now()
        values: dict[str, Any] = {
            "http_status": outcome.http_status,
            "response": outcome.response,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
        }
        is_last = outcome.http_status == GONE or job.attempt > len(PAUSES)
        if outcome.is_success:
            values |= {"status": "delivered", "ended_at": now}
        elif is_last:
            values |= {"status": "failed", "ended_at": now}
        else:
            values |= {"next_attempt_at": now + _pause(job.attempt, outcome.retry_after, jitter)}
        if not repository.end_attempt(session, job.delivery_id, job.attempt, values):
            return
        destination = repository.destination(session, job.organization_id, job.destination_id, for_update=True)
        if destination is None:
            return
        if outcome.is_success:
            destination.failing_since, destination.succeeded_at = None, now
            return
        destination.failing_since = destination.failing_since or now
        is_dead = now - destination.failing_since >= sum(PAUSES, timedelta()) * 0.8
        if destination.is_enabled and (outcome.http_status == GONE or (is_last and is_dead)):
            why = f"Nothing has arrived since {destination.failing_since:%Y-%m-%d %H:%M} UTC: {outcome.error}"
            destination.is_enabled, destination.disabled_reason = False, why
            dropped = repository.drop_pending(session, destination.id, now, "The destination was disabled.")
            evidence = {"name": destination.name, "reason": why, "dropped": dropped}
            actor = system_actor(destination.organization_id)
            audit.record(session, actor, "notification.disabled", ("notification", destination.id), evidence)
            _log.warning("a notification was disabled", extra={"destination": destination.id, "reason": why})


def _pause(attempt: int, retry_after: timedelta | None, jitter: Jitter) -> timedelta:
    pause = PAUSES[min(attempt, len(PAUSES)) - 1] * (0.8 + 0.4 * jitter())
    return max(pause, retry_after) if retry_after is not None else pause


def _random() -> float:
    return secrets.randbelow(1000) / 1000


def due(limit: int) -> list[str]:
    """Return deliveries that are due: those whose pause is over, and those whose job was lost."""
    with unit_of_work() as session:
        return repository.due(session, clock.now(), limit)


def remove_old() -> int:
    """Remove deliveries that ended long ago; return how many."""
    with unit_of_work() as session:
        return repository.remove_ended(session, _before(), 5000)


def _before() -> datetime:
    return clock.now() - KEPT
