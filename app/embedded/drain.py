"""Stopping the worker without losing a run: wait for what runs, then interrupt it while the database is still there."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.embedded.supervise import Say, StopSignals
from app.executor.gateway import Server

_SUPERVISOR = "sluice-supervise"[:15]
_QUIET_SECONDS = 2.0
_POLL_SECONDS = 0.1
_SAY_EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class Patience:
    """How long runs may take to end by themselves, and, once interrupted, to store their state and say how it was.

    The worker drains by the same limits; these hold also for the supervisors of a worker that died before.
    """

    wait_seconds: float = 10.0
    interrupt_seconds: float = 40.0


def stop_worker(server: Server, marker: str, stop: StopSignals, say: Say, patience: Patience) -> None:
    """End the worker, which takes no more jobs, and every supervisor of this installation.

    Supervisors live outside the worker's tree; ``marker`` (``NAME=value``) is in the environment of ours. Runs that go
    on after a while, or at the next signal, are interrupted; what is left after that is killed, engines included.
    """
    begun, signals_before = time.monotonic(), stop.count
    server.send(signal.SIGTERM)
    if not _is_over(server, marker, _QUIET_SECONDS, stop, signals_before) and (left := supervisors(marker)):
        say(
            f"waiting up to {patience.wait_seconds:.0f} s for {_runs(len(left))} to end; Ctrl-C again interrupts them, "
            "and keeps the state that they reached ..."
        )
        if not _is_over(server, marker, patience.wait_seconds, stop, signals_before, say=say):
            say(f"interrupting {_runs(len(supervisors(marker)))}; the state that they reached is kept ...")
            # The second one: the worker stops what runs, too, and ends.
            server.send(signal.SIGTERM)
            _signal(supervisors(marker), signal.SIGTERM)
            _is_over(server, marker, patience.interrupt_seconds, stop, stop.count)
            _signal(supervisors(marker), signal.SIGKILL)
        say(f"no run is left after {time.monotonic() - begun:.1f} s.")
    server.stop(grace_seconds=_QUIET_SECONDS)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _is_over(
    server: Server, marker: str, seconds: float, stop: StopSignals, signals_before: int, *, say: Say | None = None
) -> bool:
    now = time.monotonic()
    until, say_at = now + seconds, now + _SAY_EVERY_SECONDS
    while (now := time.monotonic()) < until and stop.count == signals_before:
        if server.wait(_POLL_SECONDS) is not None:
            if not supervisors(marker):
                return True
            time.sleep(_POLL_SECONDS)
        if say is not None and now >= say_at:
            say_at = now + _SAY_EVERY_SECONDS
            say(f"{_runs(len(supervisors(marker)))} left, {until - now:.0f} s to go ...")
    return False


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def supervisors(marker: str) -> list[int]:
    """Return the supervisors that have ``marker`` in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        # Of other users' processes nothing can be read, and any may end while it is looked at.
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and (entry / "comm").read_text().startswith(_SUPERVISOR)
                and marker.encode() in (entry / "environ").read_bytes().split(b"\0")
            ):
                found.append(int(entry.name))
    return found
