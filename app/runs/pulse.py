"""A worker's pulse: it says every few seconds that it is there, and how much of it is taken."""

import logging
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from app.core import clock
from app.core.db import unit_of_work
from app.core.rounds import Rounds
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
        self._rounds = Rounds(
            "pulse", self.beat, seconds=BEAT_SECONDS, on_failure="the worker's pulse was not noted", first=self.beat
        )

    def start(self, *, takes_runs: bool) -> None:
        """Begin to beat; a worker that serves other queues takes no run."""
        self._takes_runs = takes_runs
        self._rounds.start()

    def stop(self) -> None:
        """Say good-bye."""
        self._rounds.stop(wait_seconds=BEAT_SECONDS)
        try:
            with unit_of_work() as session:
                place_repository.forget(session, self._worker.name)
        except SQLAlchemyError as error:
            _log.warning("not taken off the list of workers; it will show as silent", extra={"error": str(error)})

    def beat(self) -> None:
        """Say once that the worker is there. Raises what the database does; the next beat tries again."""
        row = Worker(
            name=self._worker.name,
            host=self._worker.host,
            pid=self._worker.pid,
            permits=self._executions.permits if self._takes_runs else 0,
            busy=self._executions.busy,
            started_at=self._started_at,
            seen_at=clock.now(),
        )
        with unit_of_work() as session:
            place_repository.beat(session, row)
            place_repository.forget_silent(session, _long_ago())


def _long_ago() -> datetime:
    return clock.now() - timedelta(seconds=FORGOTTEN_SECONDS)
