import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.embedded.drain import Patience, stop_worker, supervisors
from app.embedded.supervise import StopSignals
from app.executor import gateway

WORKER = """
import ctypes, os, signal, sys, time
# A worker whose supervisor belongs to nobody's tree, as the nursery's do; the worker ends at once when told.
marks, seconds = sys.argv[1], float(sys.argv[2])
if seconds and os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        ctypes.CDLL(None).prctl(15, b"sluice-supervis", 0, 0, 0)
        def interrupted(*_):
            open(marks + "/interrupted", "w").close()
            os._exit(0)
        signal.signal(signal.SIGTERM, interrupted)
        open(marks + "/running", "w").close()
        time.sleep(seconds)
        open(marks + "/finished", "w").close()
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: None)
open(marks + "/started", "w").close()
signal.pause()
"""


def marker(marks: Path) -> str:
    return f"SLUICE_READY_FILE={marks}/worker.ready"


@dataclass(frozen=True)
class FakeWorker:
    marks: Path
    seconds: float
    name = "worker"

    def arguments(self) -> tuple[str, ...]:
        return ("-c", WORKER, str(self.marks), str(self.seconds))


@pytest.fixture
def stop() -> Iterator[StopSignals]:
    with StopSignals().installed() as installed:
        yield installed


def start(marks: Path, seconds: float) -> gateway.Server:
    command = FakeWorker(marks, seconds)
    name, _, value = marker(marks).partition("=")
    launch = gateway.Launch(Path(sys.executable), command, {name: value}, Path("/"))
    server = gateway.start(launch, log=marks / "worker.log")
    until = time.monotonic() + 60
    while not (marks / "started").exists() or (seconds and not (marks / "running").exists()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return server


def test_stop_worker_idle_ends_at_once_and_says_nothing(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 0)
    said: list[str] = []
    stop_worker(server, marker(tmp_path), stop, said.append, Patience(600, 600))
    assert server.poll() == 0
    assert said == []


def test_stop_worker_run_that_ends_in_time_is_left_alone(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 3)
    said: list[str] = []
    stop_worker(server, marker(tmp_path), stop, said.append, Patience(30, 30))
    assert (tmp_path / "finished").exists()
    assert not (tmp_path / "interrupted").exists()
    assert ["waiting up to 30 s for 1 run to end" in said[0], "no run is left" in said[-1]] == [True, True]


def test_stop_worker_run_that_goes_on_is_interrupted_not_killed(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 600)
    assert len(supervisors(marker(tmp_path))) == 1
    stop_worker(server, marker(tmp_path), stop, lambda _: None, Patience(0.2, 30))
    assert (tmp_path / "interrupted").exists()
    assert server.poll() == 0


def test_stop_worker_second_signal_interrupts_at_once(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 600)
    said: list[str] = []

    def say(text: str) -> None:
        if not said:
            os.kill(os.getpid(), signal.SIGINT)
        said.append(text)

    stop_worker(server, marker(tmp_path), stop, say, Patience(600, 30))
    assert (tmp_path / "interrupted").exists()


def test_supervisors_of_another_installation_are_not_ours(tmp_path: Path) -> None:
    server = start(tmp_path, 600)
    assert supervisors(marker(tmp_path / "other")) == []
    for pid in supervisors(marker(tmp_path)):
        os.kill(pid, signal.SIGKILL)
    server.stop(grace_seconds=5)
    assert supervisors(marker(tmp_path)) == []
