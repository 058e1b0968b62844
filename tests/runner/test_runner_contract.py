"""What every engine does under the supervisor, the scripted one included."""

import json
import os
import signal
from typing import Any

import psutil
import pytest

from app.core.errors import IntegrityError
from app.runner.port import ProgressRecord, StateAnswer
from tests.runner.conftest import Bench, Thing, configuration
from tests.runner.memory import MemoryPort, apply_job
from tests.support.database import own_children

pytestmark = pytest.mark.processes


def names_in(state: bytes) -> list[str]:
    return sorted(found["name"] for found in json.loads(state)["resources"])


def when(port: MemoryPort, event: str, name: str, act: Any) -> None:
    """Do something once the engine has told an event of a resource."""

    def look(record: ProgressRecord) -> None:
        if record.data.get("type") == event and str(record.data.get("address", "")).endswith(f".{name}"):
            act()

    port.on_record = look


def leftovers() -> list[int]:
    return [process.pid for process in own_children()]


def test_plan_apply_replan_destroy_goes_round(bench: Bench) -> None:
    files = configuration(Thing("a"), Thing("b", "y"), outputs={"where": "here"})
    job = bench.planned(files)
    port = bench.port
    assert port.plan is not None
    assert port.plan.counts.add == 2
    assert port.plan.output_changes == 1
    assert bench.run(job) == "applied", port.text
    assert port.applied is not None
    assert port.applied.resources_applied == 2
    [(kind, state)] = port.states
    assert kind == "applied"
    assert names_in(state) == ["a", "b"]

    stored = port.store("state", state)
    assert bench.run(bench.plan(files, run_id="run-2", state=stored)) == "no_changes", port.text
    assert not port.plan.has_changes
    assert port.plan.state_serial == json.loads(state)["serial"]

    changed = bench.plan(configuration(Thing("a", "z")), run_id="run-3", state=stored)
    assert bench.run(changed) == "awaiting_approval"
    assert (port.plan.counts.change, port.plan.counts.destroy) == (1, 1)

    destroy = bench.plan(files, run_id="run-4", kind="destroy", state=stored)
    assert bench.run(destroy) == "awaiting_approval"
    assert port.plan.counts.destroy == 2
    assert bench.run(apply_job(port, destroy)) == "applied", port.text
    assert names_in(port.states[-1][1]) == []
    assert leftovers() == []


def test_refresh_and_speculative_plans_settle(bench: Bench) -> None:
    files = configuration(Thing("a"))
    assert bench.run(bench.planned(files)) == "applied"
    stored = bench.port.store("state", bench.port.states[-1][1])
    if bench.settings.engine is None:
        assert bench.run(bench.plan(files, run_id="run-r", kind="refresh", state=stored)) == "no_changes"
    assert bench.run(bench.plan(files, run_id="run-s", speculative=True, state=stored)) == "no_changes"
    assert bench.port.end == "settled"


@pytest.mark.parametrize("order", ["cancel", "halt"])
def test_apply_stopped_midway_keeps_the_state_of_what_was_done(bench: Bench, order: Any) -> None:
    job = bench.planned(configuration(Thing("a"), Thing("b", seconds=20), Thing("c")))
    port = bench.port
    when(port, "apply_start", "b", lambda: setattr(port, "stop", order))
    assert bench.run(job) == "cancelled", port.text
    assert port.end == "acknowledged"
    kind, state = port.states[-1]
    assert kind == "applied"
    assert "a" in names_in(state)
    assert "c" not in names_in(state)
    assert port.proof is not None
    assert port.proof.signals_sent[:1] == ("SIGINT",)
    ends = [call for call in port.calls if call in {"put_state", "acknowledge", "quiesce"}]
    assert ends[-3:] == ["put_state", "acknowledge", "quiesce"]
    assert leftovers() == []


def test_apply_with_a_failing_resource_keeps_the_others(bench: Bench) -> None:
    job = bench.planned(configuration(Thing("a"), Thing("b", seconds=0.1, fails=True)))
    assert bench.run(job) == "errored"
    port = bench.port
    assert port.failure is not None
    assert port.failure.code == "engine_failed"
    assert port.failure.phase == "applying"
    assert port.failure.resources_applied == 1
    assert port.failure.diagnostics
    assert "a" in names_in(port.states[-1][1])


def test_apply_of_a_plan_changed_by_one_byte_is_refused(bench: Bench) -> None:
    job = bench.planned(configuration(Thing("a")))
    port = bench.port
    assert job.plan_file is not None
    original = port.artifacts[job.plan_file.key]
    port.artifacts[job.plan_file.key] = bytes([original[0] ^ 1]) + original[1:]
    assert bench.run(job) == "errored"
    assert port.failure is not None
    assert port.failure.code == IntegrityError.code
    assert "apply_start" not in port.text
    assert port.states == []


def test_apply_whose_engine_is_killed_says_so_and_proves_death(bench: Bench) -> None:
    job = bench.planned(configuration(Thing("a"), Thing("b", seconds=20)))
    port = bench.port

    def kill() -> None:
        for process in psutil.Process().children(recursive=True):
            if any("fake_engine" in part or part.endswith(("/tofu", "/terraform")) for part in process.cmdline()[-7:]):
                os.kill(process.pid, signal.SIGKILL)

    when(port, "apply_start", "b", kill)
    assert bench.run(job) == "errored", port.text
    assert port.failure is not None
    assert "signal 9" in port.failure.message
    assert port.proof is not None
    assert port.proof.signal == signal.SIGKILL
    assert leftovers() == []


def test_apply_that_may_not_start_never_starts(bench: Bench) -> None:
    job = bench.planned(configuration(Thing("a")))
    bench.port.may_apply = False
    assert bench.run(job) == "superseded"
    assert bench.port.states == []
    assert "apply_start" not in {record.data.get("type") for record in bench.port.records}


def test_lost_lease_stops_the_engine_and_still_keeps_the_state(bench: Bench) -> None:
    job = bench.planned(configuration(Thing("a"), Thing("b", seconds=20)))
    port = bench.port
    when(port, "apply_start", "b", lambda: setattr(port, "is_lost", True))
    assert bench.run(job) == "lease_lost", port.text
    assert "a" in names_in(port.states[-1][1])
    assert port.proof is not None
    assert port.end == "settled", "nothing but evidence after the lease is lost"
    assert {kind for kind, _ in port.left} >= {"stopped"}


def test_cancel_before_the_engine_starts_starts_none(bench: Bench) -> None:
    bench.port.stop = "cancel"
    job = bench.plan(configuration(Thing("a")))
    assert bench.run(job) == "cancelled"
    assert bench.port.plan is None
    assert bench.port.proof is not None


def test_finish_wins_when_the_engine_had_exited_before_the_cancel(bench: Bench) -> None:
    job = bench.planned(configuration(Thing("a")))
    port = bench.port
    keep = port.put_state

    def put_state(*arguments: Any) -> StateAnswer:
        port.stop = "cancel"
        return keep(*arguments)

    port.put_state = put_state  # type: ignore[method-assign]
    assert bench.run(job) == "applied"
    assert port.end == "finished"
