"""Work that is done every few seconds from a thread of its own, for as long as a process serves or works."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import AppError

_log = logging.getLogger(__name__)


class Rounds:
    """Does ``work`` every ``seconds`` between ``start`` and ``stop``; ``first`` is done once before.

    What a round raises is logged with ``on_failure``, which says what is not done now; the next round tries again. So
    it is with what nobody foresaw, which is logged with where it came from: one bad round ends no watch.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        seconds: float,
        on_failure: str,
        first: Callable[[], object] | None = None,
    ) -> None:
        self._work = work
        self._first = first
        self._seconds = seconds
        self._on_failure = on_failure
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_round, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, *, wait_seconds: float | None = None) -> None:
        """Begin no further round, and wait for the one under way: ``wait_seconds`` at most, None for its end."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def _go_round(self) -> None:
        if self._first is not None:
            self._do(self._first)
        while not self._over.wait(self._seconds):
            self._do(self._work)

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (SQLAlchemyError, AppError) as error:
            _log.warning(self._on_failure, extra={"error": str(error), "again_in_seconds": self._seconds})
        except Exception:
            _log.exception(self._on_failure, extra={"again_in_seconds": self._seconds})
