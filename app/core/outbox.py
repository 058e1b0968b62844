"""What is told to Redis once a transaction has committed, by a thread of its own: nobody waits for Redis.

Redis is a doorbell. A stopped one refuses, a frozen one takes the connection and says nothing; either costs the thread
its time-out, then nothing is tried for some seconds, and what waits is dropped: the sweep sends jobs again, and
watchers poll.
"""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache

SILENCE_SECONDS = 3.0
"""After a failure nothing is tried for so long, by whoever tells Redis something in this process."""
MOST_WAITING = 10_000
_EXIT_SECONDS = 0.3
_log = logging.getLogger(__name__)


class Outbox:
    """Tells things in the order in which they were put, each from a thread that lives no longer than there are some."""

    def __init__(self, *, silence_seconds: float = SILENCE_SECONDS, most_waiting: int = MOST_WAITING) -> None:
        self._silence_seconds = silence_seconds
        self._most_waiting = most_waiting
        self._waiting: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self._silent_until = 0.0
        self._lock = threading.Lock()

    @property
    def is_silent(self) -> bool:
        """Whether nothing is tried for now."""
        return time.monotonic() < self._silent_until

    def put(self, tell: Callable[[], object]) -> bool:
        """Have ``tell`` called soon; whatever it raises counts as a failure. Return False when it was dropped."""
        if self.is_silent:
            return False
        with self._lock:
            if len(self._waiting) >= self._most_waiting:
                return False
            self._waiting.append(tell)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
                self._thread.start()
        return True

    def failed(self, error: Exception) -> None:
        """Note that Redis could not be told something: be silent for a while, and drop what waits."""
        with self._lock:
            self._silent_until = time.monotonic() + self._silence_seconds
            dropped = len(self._waiting)
            self._waiting.clear()
        _log.warning(
            "Redis could not be told: the sweep sends jobs again, watchers poll",
            extra={"error": repr(error), "dropped": dropped},
        )

    def drain(self, seconds: float) -> bool:
        """Wait until all was told, for at most ``seconds``; return whether it was, or dropped."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                tell = self._waiting.popleft()
            try:
                tell()
            except Exception as error:  # any transport's own error type
                self.failed(error)


@lru_cache(maxsize=1)
def outbox() -> Outbox:
    """Return this process's outbox."""
    return Outbox()


def _drain_at_exit() -> None:
    outbox().drain(_EXIT_SECONDS)


# A forked child has none of its parent's threads, and not what they had yet to tell.
os.register_at_fork(after_in_child=outbox.cache_clear)
atexit.register(_drain_at_exit)
