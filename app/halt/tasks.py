"""What is looked after beside halts: calls that a dead process left, drills that nobody carries on.

Done by the API process from a thread of its own, so that it works with Redis down, and by the sweep of any worker.
"""

import logging
import threading
from contextlib import ExitStack

from celery import Celery
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import HALT_CONNECTIONS, engine, undone
from app.core.errors import AppError
from app.halt import drilling, fanout, service

SWEEP_TASK = "halt.sweep"
LOOK_SECONDS = 5.0
_log = logging.getLogger(__name__)


def look_after() -> None:
    """Take over what nobody carries on; safe beside itself."""
    fanout.take_over()
    drilling.end_abandoned()


class Caretaker:
    """Looks after halts every few seconds between ``start`` and ``stop``, in this process."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="halt-caretaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is under way goes on."""
        self._over.set()

    def _work(self) -> None:
        _get_ready()
        while not self._over.wait(LOOK_SECONDS):
            try:
                look_after()
            except (SQLAlchemyError, AppError) as error:
                _log.warning("halts can't be looked after now; trying again", extra={"error": str(error)})


def _get_ready() -> None:
    """Open the connections that are kept for halts, and make their statements, so that the first halt need not."""
    try:
        with ExitStack() as opened:
            for _ in range(HALT_CONNECTIONS):
                opened.enter_context(engine("halt").connect())
        with undone("halt") as session:
            service.warm_up(session)
    except (SQLAlchemyError, AppError) as error:
        _log.warning("no connection for halts yet", extra={"error": str(error)})


def register(application: Celery) -> None:
    """Register the jobs of halts with a worker's Celery application."""

    @application.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        look_after()
