"""Tasks of retention: thin; safe to run beside themselves."""

import logging

from celery import Celery

from app.runs import retention

RETAIN_TASK = "runs.retain"
ORPHANS_TASK = "runs.remove_orphans"
_log = logging.getLogger(__name__)


def retain() -> None:
    """Remove what old runs, and uploads that nothing needs, no longer keep."""
    runs, uploads = retention.remove_due(), retention.remove_uploads()
    if runs or uploads:
        _log.info("removed what is no longer kept", extra={"runs": runs, "uploads": uploads})


def remove_orphans() -> None:
    """Remove from the artifact store what nothing names."""
    removed = retention.remove_orphans()
    if removed:
        _log.info("removed what nothing names", extra={"artifacts": removed})


def register(application: Celery) -> None:
    """Register the tasks of retention with a worker's Celery application."""

    @application.task(name=RETAIN_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _retain() -> None:
        retain()

    @application.task(name=ORPHANS_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _remove_orphans() -> None:
        remove_orphans()
