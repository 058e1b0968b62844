"""Who may die without what: a worker takes nothing with it, a supervisor takes its engine."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.executor.test_executor_nursery import is_gone
from tests.runner.conftest import FAKE, Bench, Thing, configuration
from tests.support.guards import spawning
from tests.support.waiting import until

pytestmark = pytest.mark.processes
GO = "go"


class Running:
    """An apply that is under way in a supervisor of a worker of its own."""

    def __init__(self, root: Path, sandbox: str) -> None:
        self.root = root
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "SLUICE_SANDBOX": sandbox,
        }
        with spawning("a worker of its own, to be killed"):
            self.worker = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("supervised_worker.py")), str(root), str(FAKE)],
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        assert self.worker.stdout is not None
        self.nursery, self.supervisor = map(int, self.worker.stdout.readline().split())
        assert until(lambda: "b: working" in self.log()), self.log()

    def log(self) -> str:
        return (self.root / "log").read_text() if (self.root / "log").exists() else ""

    def engines(self) -> list[int]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if any("fake_engine" in part for part in line) and "apply" in line:
                found.append(process.pid)
        return found

    def let_go_on(self) -> None:
        """Let the engine do what it waits to do."""
        [work] = (self.root / "runs").glob("*/work")
        (work / GO).touch()

    def end(self) -> None:
        for pid in (self.worker.pid, self.supervisor, self.nursery):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.worker.wait(60)
        if self.worker.stdout is not None:
            self.worker.stdout.close()


@pytest.fixture(params=["auto", "off"])
def running(request: pytest.FixtureRequest, scripted: Bench, make_bench: object, tmp_path: Path) -> Iterator[Running]:
    bench = make_bench(sandbox=request.param)  # type: ignore[operator]
    if request.param == "auto" and bench.options.tools is None:
        pytest.skip("there is no sandbox here")
    job = bench.planned(configuration(Thing("a"), Thing("b", awaits=GO)))
    root = tmp_path / "worker"
    root.mkdir()
    # Without a sandbox plan and apply must lie below the same directory.
    job = job.model_copy(update={"working_directory": None})
    if request.param == "off":
        planned = json.loads(bench.port.artifacts[job.plan_file.key])
        planned["cwd"] = str(root / "runs" / "run-plan" / "work")
        reference = bench.port.store("plan_file", json.dumps(planned).encode())
        job = job.model_copy(update={"plan_file": reference})
    (root / "job.json").write_text(job.model_dump_json())
    (root / "artifacts").write_text(json.dumps({key: data.hex() for key, data in bench.port.artifacts.items()}))
    started = Running(root, request.param)
    yield started
    started.end()


def test_worker_killed_in_mid_apply_leaves_a_run_that_is_applied(running: Running) -> None:
    os.killpg(running.worker.pid, signal.SIGKILL)
    running.worker.wait(60)
    assert not (running.root / "state").exists()
    running.let_go_on()
    assert until((running.root / "status").exists)
    assert (running.root / "status").read_text() == "applied"
    state = json.loads((running.root / "state").read_text())
    assert [found["name"] for found in state["resources"]] == ["a", "b"]
    assert until(lambda: is_gone(running.nursery))


def test_worker_frozen_does_not_freeze_the_run(running: Running) -> None:
    os.killpg(running.worker.pid, signal.SIGSTOP)
    try:
        running.let_go_on()
        assert until((running.root / "status").exists)
        assert (running.root / "status").read_text() == "applied"
    finally:
        os.killpg(running.worker.pid, signal.SIGCONT)


def test_supervisor_killed_takes_its_engine_with_it_at_once(running: Running) -> None:
    engines = running.engines()
    assert engines
    os.kill(running.supervisor, signal.SIGKILL)
    assert until(lambda: all(is_gone(pid) for pid in engines))
    assert not (running.root / "status").exists()
    assert running.worker.stdout is not None
    assert b"signal=9" in running.worker.stdout.readline()


def test_supervisor_told_to_end_keeps_the_state_and_fails_the_run(running: Running) -> None:
    os.kill(running.supervisor, signal.SIGTERM)
    assert until((running.root / "status").exists)
    assert (running.root / "status").read_text() == "errored"
    state = json.loads((running.root / "state").read_text())
    assert [found["name"] for found in state["resources"]] == ["a"]
    assert "was shut down" in running.log()
