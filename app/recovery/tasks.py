"""Tasks of recovery: thin; safe to run beside themselves."""

import logging

from celery import Celery

from app.core.db import unit_of_work
from app.core.errors import AppError
from app.recovery import building, repository
from app.recovery.subscribers import BUILD_TASK
from app.state import service as state

SWEEP_TASK = "recovery.sweep"
_log = logging.getLogger(__name__)


def build(run_id: str) -> None:
    """Build what is new of a run's recovery list."""
    with unit_of_work() as session:
        building.bring_up_to_date(session, run_id, waits=False)


def sweep() -> int:
    """Build the lists whose job was lost, and look again where the state moved; return how many were looked at."""
    with unit_of_work() as session:
        due = repository.due(session)
        newest = state.currents(session, sorted({row.workspace_id for row in due}))
        wanted = [
            row.run_id
            for row in due
            if row.built < row.wanted
            or (found.id if (found := newest.get(row.workspace_id)) else None) != row.checked_version_id
        ]
    for run_id in wanted:
        try:
            build(run_id)
        except AppError as error:
            _log.exception("a recovery list can't be built", extra={"run_id": run_id, "detail": error.detail})
    return len(wanted)


def register(application: Celery) -> None:
    """Register the tasks of recovery with a worker's Celery application."""

    @application.task(name=BUILD_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _build(run_id: str) -> None:
        build(run_id)

    @application.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        sweep()
