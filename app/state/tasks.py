"""Tasks of state: thin; safe to run beside themselves."""

import logging

from celery import Celery

from app.core.db import unit_of_work
from app.core.errors import AppError
from app.state import service

SWEEP_TASK = "state.sweep"
_log = logging.getLogger(__name__)


def sweep() -> int:
    """Let go of what retention no longer keeps, a transaction a workspace; return how many versions."""
    with unit_of_work() as session:
        due = service.retention_due(session)
    pruned = 0
    for workspace_id in due:
        try:
            with unit_of_work() as session:
                pruned += service.prune(session, workspace_id)
        except AppError as error:
            # Nothing was deleted: what a damaged version needs is not known. The other workspaces go on.
            _log.exception("states not pruned", extra={"workspace_id": workspace_id, "detail": error.detail})
    return pruned


def register(application: Celery) -> None:
    """Register the tasks of state with a worker's Celery application."""

    @application.task(name=SWEEP_TASK)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        sweep()
