"""Keeps the parts running: notices each end at once, says so, and starts the part again after a growing pause."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from app.executor.cancel import CancelSource, StopOrder
from app.executor.gateway import Server

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_LARGEST_LOG_BYTES = 10 * 1024 * 1024

Say = Callable[[str], None]


class StopSignals:
    """SIGINT, SIGTERM and SIGHUP, as a flag, as a descriptor to wait on, and as an order to what runs just then."""

    def __init__(self) -> None:
        self.count = 0
        self.order = CancelSource()
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.order.request(StopOrder.CANCEL)
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b".")

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self.count > 0

    @contextlib.contextmanager
    def installed(self) -> Iterator["StopSignals"]:
        """Take the signals while the block runs."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        previous = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            os.close(self.reader)
            os.close(self._writer)
            self.order.close()


@dataclass
class Part:
    """One thing that is kept running: how to start it, to know that it is ready, and to stop it."""

    name: str
    start: Callable[[], Server]
    stop: Callable[[Server], None]
    log: Path
    wait_ready: Callable[[Server], None] | None = None
    server: Server | None = None
    started_at: float = 0.0
    failures: int = 0
    restart_at: float | None = None
    pidfd: int | None = field(default=None, repr=False)


class Supervisor:
    """The parts in the order in which they were started."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self.parts: list[Part] = []

    def launch(self, part: Part) -> None:
        """Start ``part`` and keep it from now on. Raises what its start raises."""
        self._start(part)
        self.parts.append(part)

    def _start(self, part: Part) -> None:
        _rotate(part.log)
        part.server = part.start()
        part.started_at = self._clock()
        part.restart_at = None
        part.pidfd = os.pidfd_open(part.server.pid)

    def _forget(self, part: Part) -> None:
        if part.pidfd is not None:
            os.close(part.pidfd)
        part.pidfd = None
        part.server = None

    def check(self) -> None:
        """Look at every part once: note those that ended, start those whose pause is over."""
        for part in self.parts:
            if part.server is not None and (code := part.server.poll()) is not None:
                self._ended(part, code)
            elif part.restart_at is not None and self._clock() >= part.restart_at:
                self._restart(part)

    def _ended(self, part: Part, code: int) -> None:
        self._forget(part)
        if self._clock() - part.started_at >= _STEADY_SECONDS:
            part.failures = 0
        self._postpone(part, f"{part.name} ended unexpectedly ({_how(code)})")

    def _postpone(self, part: Part, what: str) -> None:
        pause = min(_FIRST_PAUSE_SECONDS * 2**part.failures, _LONGEST_PAUSE_SECONDS)
        part.failures += 1
        part.restart_at = self._clock() + pause
        self._say(f"{what}; starting it again in {pause:g} s. Its log: {part.log}")

    def _restart(self, part: Part) -> None:
        try:
            self._start(part)
            if part.wait_ready is not None and part.server is not None:
                part.wait_ready(part.server)
        except Exception as error:  # whatever kept it from starting may be over the next time
            if part.server is not None:
                part.stop(part.server)
                self._forget(part)
            self._postpone(part, f"{part.name} could not be started again ({error})")
        else:
            self._say(f"{part.name} runs again.")

    def run(self, stop: StopSignals) -> None:
        """Keep everything running until a stop is asked for."""
        while not stop.requested:
            self.check()
            poll = select.poll()
            poll.register(stop.reader, select.POLLIN)
            for part in self.parts:
                if part.pidfd is not None:
                    poll.register(part.pidfd, select.POLLIN)
            poll.poll(self._timeout_milliseconds())

    def _timeout_milliseconds(self) -> float | None:
        moments = [part.restart_at for part in self.parts if part.restart_at is not None]
        return max(0.0, min(moments) - self._clock()) * 1000 + 1 if moments else None

    def stop_all(self, order: tuple[str, ...]) -> None:
        """Stop every part in ``order``; what it does not name comes last."""
        ranked = sorted(self.parts, key=lambda part: order.index(part.name) if part.name in order else len(order))
        for part in ranked:
            if part.server is not None:
                part.stop(part.server)
            self._forget(part)
            part.restart_at = None
        self.parts.clear()


def _how(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _rotate(log: Path) -> None:
    """Keep one older log beside a log that has grown large."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
