import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from app.embedded.drain import stop_worker, supervisors
from app.embedded.supervise import StopSignals
from app.executor import gateway

WORKER = """
import os, signal, sys, time
# A worker that drains: it ends with its nursery, the nursery (deaf to SIGTERM) with its supervisor.
marks, seconds = sys.argv[1], float(sys.argv[2])
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if seconds:
        if os.fork() == 0:
            os.setsid()
            def interrupted(*_):
                open(marks + "/interrupted", "w").close()
                os._exit(0)
            signal.signal(signal.SIGTERM, interrupted)
            open(marks + "/running", "w").close()
            time.sleep(seconds)
            open(marks + "/finished", "w").close()
            os._exit(0)
        os.wait()
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.pause()
os.wait()
"""


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
    server = gateway.start(gateway.Launch(Path(sys.executable), command, {}, Path("/")), log=marks / "worker.log")
    until = time.monotonic() + 10
    while not ((marks / "running").exists() if seconds else psutil.Process(server.pid).children()):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.05)
    return server


def test_stop_worker_idle_ends_at_once_and_says_nothing(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 0)
    said: list[str] = []
    started = time.monotonic()
    stop_worker(server, stop, said.append, wait_seconds=30, interrupt_seconds=30)
    assert time.monotonic() - started < 5
    assert server.poll() == 0
    assert said == []


def test_stop_worker_run_that_ends_in_time_is_left_alone(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 3)
    said: list[str] = []
    stop_worker(server, stop, said.append, wait_seconds=30, interrupt_seconds=30)
    assert (tmp_path / "finished").exists()
    assert not (tmp_path / "interrupted").exists()
    assert len(said) == 1


def test_stop_worker_run_that_goes_on_is_interrupted_not_killed(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 600)
    assert len(supervisors(server.pid)) == 1
    stop_worker(server, stop, lambda _: None, wait_seconds=0.2, interrupt_seconds=30)
    assert (tmp_path / "interrupted").exists()
    assert server.poll() == 0


def test_stop_worker_second_signal_interrupts_at_once(tmp_path: Path, stop: StopSignals) -> None:
    server = start(tmp_path, 600)
    timer = threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.monotonic()
    stop_worker(server, stop, lambda _: None, wait_seconds=60, interrupt_seconds=30)
    timer.join()
    assert time.monotonic() - started < 20
    assert (tmp_path / "interrupted").exists()


def test_supervisors_of_a_process_that_is_gone_are_none() -> None:
    assert supervisors(2**22 - 1) == []
