"""A worker's pulse: it says every few seconds that it is there, and how much of it is taken."""

import logging
import threading
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from app.core import clock
from app.core.db import unit_of_work
from app.runs import place_repository
from app.runs.models import Worker
from app.runs.tasks import Executions, this_worker

BEAT_SECONDS = 5.0
FORGOTTEN_SECONDS = 3600.0
"""A worker that was killed stays in the list for so long, as silent."""
_log = logging.getLogger(__name__)


class Pulse:
    """Beats from a thread of its own between ``start`` and ``stop``; ``stop`` takes the worker off the list."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._worker = this_worker()
        self._takes_runs = False
        self._started_at: datetime = clock.now()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self, *, takes_runs: bool) -> None:
        """Begin to beat; a worker that serves other queues takes no run."""
        self._takes_runs = takes_runs
        self._thread.start()

    def stop(self) -> None:
        """Say good-bye."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(BEAT_SECONDS)
        try:
            with unit_of_work() as session:
                place_repository.forget(session, self._worker.name)
        except SQLAlchemyError as error:
            _log.warning("not taken off the list of workers; it will show as silent", extra={"error": str(error)})

    def beat(self) -> None:
        """Say once that the worker is there. A database that is away is tried again at the next beat."""
        row = Worker(
            name=self._worker.name,
            host=self._worker.host,
            pid=self._worker.pid,
            permits=self._executions.permits if self._takes_runs else 0,
            busy=self._executions.busy,
            started_at=self._started_at,
            seen_at=clock.now(),
        )
        try:
            with unit_of_work() as session:
                place_repository.beat(session, row)
                place_repository.forget_silent(session, _long_ago())
        except SQLAlchemyError as error:
            _log.warning("the worker's pulse was not noted", extra={"error": str(error)})

    def _run(self) -> None:
        while True:
            self.beat()
            if self._stopping.wait(BEAT_SECONDS):
                return


def _long_ago() -> datetime:
    return clock.now() - timedelta(seconds=FORGOTTEN_SECONDS)
