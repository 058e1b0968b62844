"""Tasks of rehearsals: thin; safe to run beside themselves."""

import logging
from datetime import timedelta

from celery import Celery

from app.core import clock
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.rehearsal import repository, working
from app.rehearsal.service import ADVANCE_TASK

SWEEP_TASK = "rehearsal.sweep"
RETAIN_TASK = "rehearsal.retain"
BATCH = 100
_log = logging.getLogger(__name__)


def retain() -> int:
    """Remove rehearsals that are older than they are kept, some at a time; return how many."""
    days = get_settings().rehearsals_days
    removed = 0
    while days:
        with unit_of_work() as session:
            count = repository.remove_before(session, clock.now() - timedelta(days=days), BATCH)
        removed += count
        if count < BATCH:
            break
    if removed:
        _log.info("removed old rehearsals", extra={"rehearsals": removed})
    return removed


def register(application: Celery) -> None:
    """Register the tasks of rehearsals with a worker's Celery application."""

    @application.task(name=ADVANCE_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _advance(organization_id: str) -> None:
        working.advance(organization_id)

    @application.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        working.ring()

    @application.task(name=RETAIN_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _retain() -> None:
        retain()
