"""Tasks of progress: thin; safe to run beside themselves."""

import logging

from celery import Celery

from app.core.db import unit_of_work
from app.core.errors import AppError
from app.progress import service

COMPACT_TASK = "progress.compact"
_log = logging.getLogger(__name__)


def compact() -> int:
    """Move the logs of runs that have ended into artifacts, one after another; return how many."""
    with unit_of_work() as session:
        due = service.due(session)
    done = 0
    for run_id in due:
        try:
            done += service.compact(run_id)
        except AppError as error:
            # It stays readable where it is. The others go on.
            _log.warning("log not compacted", extra={"run_id": run_id, "detail": error.detail})
    return done


def register(application: Celery) -> None:
    """Register the tasks of progress with a worker's Celery application."""

    @application.task(name=COMPACT_TASK)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _compact() -> None:
        compact()
