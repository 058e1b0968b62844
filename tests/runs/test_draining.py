"""How a worker ends: by the clock, hurried, or without those that don't end; with real processes for supervisors."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from app.runs import draining
from app.runs.draining import Drain, Limits
from tests.support.guards import spawning
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.processes

SUPERVISOR = """
import signal, sys, time
def told(*_):
    if sys.argv[1] != "deaf":
        raise SystemExit(0)
def done(*_):
    raise SystemExit(0)
signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGUSR1, done)
print("ready", flush=True)
time.sleep(600)
"""


class Supervisors:
    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, kind: str = "obedient") -> "subprocess.Popen[bytes]":
        with spawning("a supervisor's part"):
            process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, kind], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        self.started.append(process)
        return process

    def watch(self, drained: Drain, process: "subprocess.Popen[bytes]") -> None:
        """Wait for the process in a thread of its own, as a worker's task does."""
        is_watched = threading.Event()

        def wait() -> None:
            with drained.watching(process.pid):
                is_watched.set()
                process.wait()

        threading.Thread(target=wait, daemon=True).start()
        assert is_watched.wait(PATIENCE_SECONDS)


@pytest.fixture
def supervisors() -> Iterator[Supervisors]:
    found = Supervisors()
    yield found
    for process in found.started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def gave_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    monkeypatch.setattr(draining.logging, "shutdown", lambda: None)
    return threading.Event()


def drain(gave_up: threading.Event, drain_seconds: float, grace_seconds: float = 20.0) -> Drain:
    made = Drain(Limits(drain_seconds, grace_seconds), give_up=gave_up.set)
    made.watch()
    return made


def until_none_is_left(drained: Drain) -> None:
    until(lambda: not drained.left())


def until_said(caplog: pytest.LogCaptureFixture, message: str) -> None:
    until(lambda: message in [found.message for found in caplog.records], f"said: {message}")


def facts(caplog: pytest.LogCaptureFixture, message: str) -> dict[str, float]:
    [record] = [found for found in caplog.records if found.message == message]
    return {name: getattr(record, name) for name in ("runs", "stopped", "left", "seconds")}


def test_drain_waits_for_what_runs_and_says_how_long(
    supervisors: Supervisors, gave_up: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    drained = drain(gave_up, 600)
    ended = supervisors.start()
    supervisors.watch(drained, ended)
    assert not drained.is_begun
    before = time.monotonic()
    drained.begin()
    assert drained.is_begun
    begun = time.monotonic()
    until_said(caplog, "draining")
    assert drained.left() == 1
    ended.send_signal(signal.SIGUSR1)
    until_none_is_left(drained)
    over = time.monotonic()
    drained.finish()
    assert ended.returncode == 0
    said = facts(caplog, "drained")
    assert (said["runs"], said["stopped"], said["left"]) == (1, 0, 0)
    assert over - begun - 0.01 <= said["seconds"] <= time.monotonic() - before + 0.01
    assert not gave_up.is_set()


def test_drain_at_its_deadline_stops_what_still_runs(
    supervisors: Supervisors, gave_up: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    drained = drain(gave_up, 0.3)
    for _ in range(2):
        supervisors.watch(drained, supervisors.start())
    drained.begin()
    until_none_is_left(drained)
    drained.finish()
    assert facts(caplog, "drained")["stopped"] == 2


def test_drain_asked_again_stops_at_once(
    supervisors: Supervisors, gave_up: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    drained = drain(gave_up, 600)
    supervisors.watch(drained, supervisors.start())
    drained.begin()
    until_said(caplog, "draining")
    assert drained.left() == 1
    drained.begin()
    until_none_is_left(drained)
    drained.finish()
    assert facts(caplog, "drained")["stopped"] == 1


def test_drain_stops_also_a_run_that_was_just_being_started(
    supervisors: Supervisors, gave_up: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    drained = drain(gave_up, 0)
    drained.begin()
    until_said(caplog, "stopping what still runs")
    supervisors.watch(drained, supervisors.start())
    until_none_is_left(drained)
    drained.finish()


def test_drain_gives_up_on_a_supervisor_that_does_not_end(
    supervisors: Supervisors,
    gave_up: threading.Event,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draining, "STORING_SECONDS", 0.5)
    drained = drain(gave_up, 0.1, grace_seconds=0.1)
    deaf = supervisors.start("deaf")
    supervisors.watch(drained, deaf)
    drained.begin()
    assert gave_up.wait(PATIENCE_SECONDS)
    assert deaf.poll() is None
    assert facts(caplog, "drained")["left"] == 1


def test_drain_without_runs_is_over_when_the_worker_is(
    gave_up: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    drained = drain(gave_up, 600)
    drained.begin()
    until_said(caplog, "draining")
    drained.finish()
    assert facts(caplog, "drained")["runs"] == 0


def test_drain_never_begun_says_nothing(gave_up: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    drain(gave_up, 600).finish()
    assert caplog.records == []


def test_drain_signals_the_process_and_no_later_one_of_its_id(
    supervisors: Supervisors, gave_up: threading.Event
) -> None:
    ended = supervisors.start()
    ended.kill()
    ended.wait()
    drained = drain(gave_up, 0)
    supervisors.watch(drained, ended)
    assert drained.left() == 0
