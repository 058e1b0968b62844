"""A worker looks for itself: for runs whose doorbell nobody heard, and for silent ones while no broker sends sweeps.

Redis is a doorbell. While it is away, and until a worker has found it again, runs are claimed and the dead are noticed
all the same, some seconds later.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from app.core import clock
from app.core.broker import is_reachable
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.rounds import Rounds
from app.core.settings import get_settings
from app.runs import queue_repository
from app.runs.tasks import Executions, sweep

LOOK_SECONDS = 2.0
UNHEARD_SECONDS = 2.0
"""A run that may start and has waited for so long, while this worker has room, was not heard of."""
SWEEP_SECONDS = 4.0
_log = logging.getLogger(__name__)


class Lookout:
    """Looks every two seconds between ``start`` and ``stop``."""

    def __init__(
        self,
        executions: Executions,
        *,
        look_seconds: float = LOOK_SECONDS,
        unheard_seconds: float = UNHEARD_SECONDS,
        hears_sweeps: Callable[[], bool] = is_reachable,
    ) -> None:
        self._executions = executions
        self._rounds = Rounds("lookout", self.look, seconds=look_seconds, on_failure="nothing can be looked for now")
        self._unheard = timedelta(seconds=unheard_seconds)
        self._hears_sweeps = hears_sweeps
        self._takes_runs = False
        self._swept_at = time.monotonic()
        self._executing: list[threading.Thread] = []

    def start(self, *, takes_runs: bool) -> None:
        """Begin; a worker that serves other queues takes no run."""
        self._takes_runs = takes_runs
        self._rounds.start()

    def stop(self) -> None:
        """Look no more, and wait for the runs that were taken."""
        self._rounds.stop()
        for thread in self._executing:
            thread.join()

    def look(self) -> None:
        """Take what nobody heard of; sweep when no broker sends sweeps."""
        if self._takes_runs and self._has_room() and self._waits():
            thread = threading.Thread(target=self._execute, name="unheard", daemon=True)
            self._executing = [*(each for each in self._executing if each.is_alive()), thread]
            thread.start()
        if time.monotonic() - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            if not self._hears_sweeps():
                sweep()

    def _has_room(self) -> bool:
        return self._executions.busy < self._executions.permits

    def _waits(self) -> bool:
        with unit_of_work() as session:
            before = clock.now() - self._unheard
            limit = get_settings().organization_concurrency
            return bool(queue_repository.in_line(session, limit, queued_before=before, limit=1))

    def _execute(self) -> None:
        try:
            self._executions.execute()
        except (SQLAlchemyError, AppError) as error:
            _log.warning("what waits can't be taken now; trying again", extra={"error": str(error)})
