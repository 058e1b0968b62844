"""Jobs of identity: removing what has expired. Safe to run beside themselves."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from celery import Celery
from sqlalchemy.orm import Session

from app.core import clock, idempotency
from app.core.db import unit_of_work
from app.identity import repository_credentials as store

EXPIRE_TASK = "identity.expire"
KEPT_AFTER = timedelta(days=7)
"""Ended sessions and spent links stay that long, for whoever looks into what happened."""
BATCH = 1000
_log = logging.getLogger(__name__)


def expire() -> dict[str, int]:
    """Remove sessions and login links that ended a week ago, and idempotency keys as old; return how many of each."""
    before = clock.now() - KEPT_AFTER
    removed = {
        "sessions": _in_batches(store.remove_sessions, before),
        "login_links": _in_batches(store.remove_links, before),
        "idempotency_keys": _in_batches(idempotency.remove_before, clock.now() - idempotency.REMEMBERED),
    }
    if any(removed.values()):
        _log.info("removed what has expired", extra=removed)
    return removed


def _in_batches(remove: Callable[[Session, datetime, int], int], before: datetime) -> int:
    total = 0
    while True:
        with unit_of_work() as session:
            count = remove(session, before, BATCH)
        total += count
        if count < BATCH:
            return total


def register(application: Celery) -> None:
    """Register the jobs of identity with a worker's Celery application."""

    @application.task(name=EXPIRE_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _expire() -> None:
        expire()
