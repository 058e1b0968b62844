"""Draining: how a worker ends without losing a run.

From the first signal on it claims nothing. What runs may go on until the deadline, is then stopped as a cancelled run
is (SIGINT, the grace period, SIGKILL; the state kept), and fails with that reason. The worker ends once its supervisors
have, and in any case a bounded time after it told them to: one that is still storing a state goes on without it.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

STORING_SECONDS = 30.0
"""What a stopped run may take, beyond its engine's grace period, to store its state and to say how it ended."""
SETTLING_SECONDS = 1.0
"""A supervisor that has just been given its run takes no signal yet: it would die of it."""
SAY_EVERY_SECONDS = 10.0
_POLL_SECONDS = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How long runs may go on, and how long stopping them may take."""

    drain_seconds: float
    grace_seconds: float

    @property
    def stop_seconds(self) -> float:
        """Seconds from the order to stop to the worker's own end."""
        return self.grace_seconds + STORING_SECONDS


@dataclass(eq=False)
class _Watched:
    """A run's supervisor, held by a descriptor that names it and no later process of the same id."""

    descriptor: int
    since: float
    is_told: bool = False


class Drain:
    """One worker's end. ``give_up`` ends the process when it could not end by itself in time."""

    def __init__(self, limits: Limits, give_up: Callable[[], None] = lambda: os._exit(0)) -> None:
        self._limits = limits
        self._give_up = give_up
        self._event = os.eventfd(0, os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._watched: list[_Watched] = []
        self._begun_at: float | None = None
        self._is_hurried = False
        self._is_over = threading.Event()
        self._counts = {"runs": 0, "stopped": 0}

    @property
    def is_begun(self) -> bool:
        """Whether nothing may be claimed any more."""
        return self._begun_at is not None

    def watch(self) -> None:
        """Start the thread that drains once ``begin`` is called. Call it after the nursery was forked."""
        threading.Thread(target=self._work, name="drain", daemon=True).start()

    def begin(self) -> None:
        """Begin; again, hurry: what runs is stopped now. May be called from a signal handler: it takes no lock."""
        if self._begun_at is None:
            self._begun_at = time.monotonic()
        else:
            self._is_hurried = True
        os.eventfd_write(self._event, 1)

    @contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Take note of the supervisor with this id while the block waits for the end of its run."""
        try:
            watched = _Watched(os.pidfd_open(pid), time.monotonic())
        except ProcessLookupError:
            yield
            return
        with self._lock:
            self._watched.append(watched)
        try:
            yield
        finally:
            with self._lock:
                self._watched.remove(watched)
                os.close(watched.descriptor)

    def left(self) -> int:
        """Return how many runs have not ended."""
        with self._lock:
            return len(self._watched)

    def finish(self) -> None:
        """Say how long it took, once the worker has ended all that it did."""
        if self._begun_at is not None and not self._is_over.is_set():
            self._is_over.set()
            self._say("drained", left=self.left())

    def _work(self) -> None:
        os.eventfd_read(self._event)
        assert self._begun_at is not None
        self._counts["runs"] = self.left()
        self._say("draining", left=self._counts["runs"], drain_seconds=self._limits.drain_seconds)
        if not self._wait(self._begun_at + self._limits.drain_seconds, until_hurried=True):
            stop_by = time.monotonic() + self._limits.stop_seconds
            self._say("stopping what still runs", left=self.left(), stop_seconds=self._limits.stop_seconds)
            if not self._wait(stop_by, tells=True):
                self._say("the worker ends without waiting longer; what is left stores its state by itself")
                self.finish()
                logging.shutdown()
                self._give_up()

    def _wait(self, until: float, *, until_hurried: bool = False, tells: bool = False) -> bool:
        """Wait for the worker's end. With ``tells`` every supervisor is told to stop, one that is just starting too."""
        say_at = time.monotonic() + SAY_EVERY_SECONDS
        while not self._is_over.wait(_POLL_SECONDS):
            now = time.monotonic()
            if now >= until or (until_hurried and self._is_hurried):
                return False
            if tells:
                self._tell()
            if now >= say_at:
                say_at = now + SAY_EVERY_SECONDS
                self._say("draining", left=self.left())
        return True

    def _tell(self) -> None:
        before = time.monotonic() - SETTLING_SECONDS
        with self._lock:
            for watched in self._watched:
                if not watched.is_told and watched.since <= before:
                    watched.is_told = True
                    self._counts["stopped"] += 1
                    with suppress(ProcessLookupError):
                        signal.pidfd_send_signal(watched.descriptor, signal.SIGTERM)

    def _say(self, what: str, **facts: float) -> None:
        assert self._begun_at is not None
        seconds = round(time.monotonic() - self._begun_at, 2)
        _log.warning(what, extra={**self._counts, "seconds": seconds, **facts})
