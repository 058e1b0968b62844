"""Stopping the worker without losing a run: wait for what runs, then interrupt it while the database is still there."""

import contextlib
import os
import signal
import time
from pathlib import Path

from app.embedded.supervise import Say, StopSignals
from app.executor.gateway import Server

_QUIET_SECONDS = 2.0
_POLL_SECONDS = 0.1


def stop_worker(server: Server, stop: StopSignals, say: Say, *, wait_seconds: float, interrupt_seconds: float) -> None:
    """End the worker: it takes no more jobs and ends with its last run.

    Runs that go on after ``wait_seconds``, or at the next signal, are interrupted: each supervisor ends its engine,
    stores the state and says how it ended, which may take up to ``interrupt_seconds``. What is left then is killed.
    """
    signals_before = stop.count
    server.send(signal.SIGTERM)
    if _ended(server, _QUIET_SECONDS, stop, signals_before):
        return
    if supervisors(server.pid):
        say("waiting for runs to end; Ctrl-C again interrupts them, and keeps the state that they reached ...")
        if _ended(server, wait_seconds, stop, signals_before):
            return
        for pid in supervisors(server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    server.stop(grace_seconds=interrupt_seconds)


def _ended(server: Server, seconds: float, stop: StopSignals, signals_before: int) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and stop.count == signals_before:
        if server.wait(_POLL_SECONDS) is not None:
            return True
    return server.poll() is not None


def supervisors(worker: int) -> list[int]:
    """Return the supervisors that a worker's nursery has forked: the children of its children."""
    return [pid for nursery in _children(worker) for pid in _children(nursery)]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        # It ended while it was looked at.
        return []
    return found
