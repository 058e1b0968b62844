"""Celery composition root: the tasks of every slice, and the nursery that supervisors are forked from.

The nursery is forked when the worker starts, before it has threads or connections, with the runner and the
``RunnerPort`` that ``runs`` implements already loaded.
"""

import logging
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_shutdown

from app import registry
from app.audit import tasks as audit_tasks
from app.core.artifacts import artifact_store
from app.core.broker import celery_app
from app.core.errors import AppError
from app.executor.nursery import Child, Nursery
from app.runner import leftovers, supervisor
from app.runs import tasks as runs_tasks
from app.runs import warmup
from app.runs.port import InProcessPort
from app.state import tasks as state_tasks

RUNS_OF_A_SUPERVISOR = 50
"""One after another; then the process ends, and with it whatever of memory it gathered."""
_log = logging.getLogger(__name__)


class NurseryOfWorker:
    """The worker's nursery: forked at the worker's start, closed at its end."""

    def __init__(self) -> None:
        self._nursery: Nursery | None = None

    def open(self) -> None:
        """Fork the nursery."""
        targets = {
            runs_tasks.SUPERVISE: supervisor.target(InProcessPort),
            runs_tasks.RECOVER: leftovers.target(InProcessPort),
        }
        self._nursery = Nursery.fork(
            targets, prepare=warmup.warm, ready=warmup.be_ready, most_jobs=RUNS_OF_A_SUPERVISOR
        )
        _log.info("nursery forked", extra={"pid": self._nursery.pid})
        # After the fork: an object store's client has threads, which a fork would lose.
        _check_artifacts()
        self._nursery.start(runs_tasks.RECOVER, b"").close()

    def close(self) -> None:
        """Ask for no more children; those that run go on to their end."""
        if self._nursery is not None:
            self._nursery.close()

    def start(self, target: str, payload: bytes) -> Child:
        """Fork a supervisor for a job."""
        if self._nursery is None:
            raise RuntimeError("the nursery is forked when the worker starts")
        return self._nursery.start(target, payload)


def _check_artifacts() -> None:
    """Try the artifact store. Raises ``SystemExit``: a worker can do nothing without it."""
    try:
        artifact_store().check()
    except AppError as error:
        _log.error("the artifact store can't be used", extra={"code": error.code, "detail": error.detail})
        # Celery swallows what a signal's receiver raises, but for this.
        raise SystemExit(f"sluice: {error.detail}") from error


def create_worker() -> Celery:
    """Return the Celery application with every slice's tasks and subscribers connected."""
    registry.connect()
    application = celery_app()
    nursery = NurseryOfWorker()

    def on_init(**_: Any) -> None:
        nursery.open()

    def on_shutdown(**_: Any) -> None:
        nursery.close()

    worker_init.connect(on_init, weak=False)
    worker_shutdown.connect(on_shutdown, weak=False)
    runs_tasks.register(application, nursery)
    audit_tasks.register(application)
    state_tasks.register(application)
    return application


app = create_worker()
