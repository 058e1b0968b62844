"""Moving a state: what the pipeline makes of backends that misbehave. Both backends are scripted."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest

from app.core.errors import AppError
from app.core.masking import Masker
from app.executor.engine import Engine, Inputs
from app.runner import moving
from app.runner.context import Context
from app.runner.keeping import StateNotKept
from app.runner.pipeline import KindUnsupported
from app.runner.port import EngineInfo, JobBackend, Phase, RunnerJob, StateAnswer, StateKind
from tests.runner.memory import MemoryPort, plan_job

T = TypeVar("T")


def state(serial: int = 4, lineage: str = "ours", **outputs: str) -> bytes:
    held = {name: {"value": value, "type": "string"} for name, value in outputs.items()}
    return json.dumps(
        {"version": 4, "terraform_version": "1", "serial": serial, "lineage": lineage, "outputs": held, "resources": []}
    ).encode()


@dataclass
class Backend:
    """An engine with one backend: what it holds, and what it does to what is pushed."""

    held: bytes | None = None
    spoils: Callable[[bytes], bytes | None] = field(default=lambda data: data)
    calls: list[str] = field(default_factory=list)
    working_directory: str = "/run"
    after_pulls: dict[int, bytes] = field(default_factory=dict)
    pulls: int = 0

    def prepare(self, *, is_apply: bool) -> None:
        self.calls.append("init")

    def place(self, inputs: Inputs) -> None:
        self.held = inputs.state or self.held

    def pull_state(self) -> bytes | None:
        self.pulls += 1
        self.calls.append("pull")
        self.held = self.after_pulls.get(self.pulls, self.held)
        return self.held

    def push_state(self, data: bytes, *, over: bytes | None) -> None:
        self.calls.append("push")
        self.held = self.spoils(data)


@dataclass
class Stage:
    """The supervisor's part, without a process."""

    port: MemoryPort
    phases: list[str] = field(default_factory=list)
    answer: StateAnswer | None = None
    timings: tuple[Any, ...] = ()
    resources_applied: int = 0

    @contextlib.contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        self.phases.append(name)
        yield

    def lay_out(self, archive: bytes | None) -> None:
        assert archive is None, "a user's configuration has no part in it"

    def put_state(self, kind: StateKind, data: bytes) -> StateAnswer:
        return self.answer or self.port.put_state("run-1", 1, kind, data)

    def flush(self) -> None:
        pass

    def insist(self, what: str, call: Callable[[], T]) -> T:
        return call()


@dataclass
class Move:
    """One migration or rollback with all that it meets."""

    source: Backend
    target: Backend
    port: MemoryPort = field(default_factory=MemoryPort)
    from_backend: str = "local"
    to_backend: str = "s3"
    kind: str = "migration"

    def apply(self, approved: bytes | None = None, **stage: Any) -> str:
        job = self.job("apply")
        if approved is not None:
            job = job.model_copy(update={"plan_file": self.port.store("plan_file", approved)})
        return moving.pipeline_of(job)(self.context(job, **stage))

    def plan(self) -> str:
        job = self.job(self.kind)
        return moving.pipeline_of(job)(self.context(job))

    def job(self, kind: str) -> RunnerJob:
        to = JobBackend(generated_files={}, expected_backend=self.to_backend, backend_settings={})
        return plan_job(self.port, {}).model_copy(
            update={
                "kind": kind,
                "planned_kind": self.kind,
                "configuration": None,
                "expected_backend": self.from_backend,
                "target": to if self.kind == "migration" else None,
                "state_lineage": "ours",
                "state_serial": 4,
            }
        )

    def context(self, job: RunnerJob, **stage: Any) -> Context:
        info = EngineInfo(kind="tofu", version="1.12.6", sha256="0")
        made = Stage(self.port, **stage)
        engines = cast("Engine", self.source), cast("Engine", self.target)
        return Context(job, self.port, engines[0], made, Masker([]), engine_info=info, target=engines[1])


def test_migration_pushes_what_was_approved_and_finishes() -> None:
    move = Move(Backend(state()), Backend())
    assert move.apply(state()) == "applied"
    assert move.target.held == state()
    assert (move.port.end, move.port.states) == ("finished", [])
    assert move.source.held == state(), "the old state stays where it is"


def test_migration_whose_serial_the_engine_raised_keeps_a_copy_of_what_is_there() -> None:
    move = Move(Backend(state()), Backend(state(3), spoils=lambda _: state(5)))
    assert move.apply(state()) == "applied"
    assert move.port.states == [("applied", state(5))]


def test_migration_from_elsewhere_to_a_served_backend_stores_the_state() -> None:
    move = Move(Backend(state()), Backend(), from_backend="s3", to_backend="local")
    assert move.apply(state()) == "applied"
    assert move.port.states[0] == ("applied", state())
    assert "push" not in move.target.calls


@pytest.mark.parametrize(
    "given_back",
    [None, state(lineage="another"), state(3), state(a="altered")],
    ids=["nothing", "another lineage", "lower serial", "other content"],
)
def test_target_that_does_not_give_back_what_was_written_ends_the_migration(given_back: bytes | None) -> None:
    move = Move(Backend(state()), Backend(spoils=lambda _: given_back))
    with pytest.raises(moving.MigrationIncomplete, match="does not give back"):
        move.apply(state())
    assert "finish" not in move.port.calls


def test_source_that_moved_since_the_plan_supersedes_the_migration() -> None:
    move = Move(Backend(state(5)), Backend())
    assert move.apply(state()) == "superseded"
    assert (move.port.end, move.target.held) == ("stale", None)


def test_source_that_moves_while_it_is_copied_ends_the_migration() -> None:
    move = Move(Backend(state(), after_pulls={2: state(5)}), Backend())
    with pytest.raises(moving.MigrationIncomplete, match="moved in its old backend"):
        move.apply(state())
    assert "finish" not in move.port.calls


def test_migration_that_may_not_start_writes_nothing() -> None:
    move = Move(Backend(state()), Backend(), MemoryPort(may_apply=False))
    assert move.apply(state()) == "superseded"
    assert move.target.held is None


def test_state_that_went_to_quarantine_ends_the_move_with_its_code() -> None:
    kept = StateAnswer(state_version_id="qs-1", serial=4, quarantined=True)
    for move in (
        Move(Backend(state()), Backend(spoils=lambda _: state(5))),
        Move(Backend(), Backend(), kind="rollback"),
    ):
        with pytest.raises(StateNotKept):
            move.apply(state(), answer=kept)
        assert "finish" not in move.port.calls


def test_rollback_of_a_served_state_asks_no_engine() -> None:
    move = Move(Backend(), Backend(), kind="rollback")
    assert move.apply(state(5)) == "applied"
    assert move.port.states == [("rolled_back", state(5))]
    assert move.source.calls == []


def test_rollback_elsewhere_pushes_and_keeps_what_is_there_then() -> None:
    move = Move(Backend(state(), spoils=lambda _: state(6)), Backend(), from_backend="s3", kind="rollback")
    assert move.apply(state(5)) == "applied"
    assert move.port.states == [("rolled_back", state(6))]


def test_rollback_elsewhere_over_a_state_that_moved_is_superseded() -> None:
    move = Move(Backend(state(7)), Backend(), from_backend="s3", kind="rollback")
    assert move.apply(state(5)) == "superseded"
    assert "push" not in move.source.calls


@pytest.mark.parametrize("kind", ["rollback", "migration"])
def test_moves_plan_and_wait_at_the_gate(kind: str) -> None:
    move = Move(Backend(state()), Backend(), from_backend="s3", kind=kind)
    assert move.plan() == "awaiting_approval"
    assert move.port.plan is not None
    assert (move.port.plan.state_lineage, move.port.plan.state_serial) == ("ours", 4)
    assert move.port.states == []
    assert "push" not in move.source.calls + move.target.calls


def test_job_without_plan_or_target_is_refused() -> None:
    for kind in ("rollback", "migration"):
        with pytest.raises(AppError) as refused:
            Move(Backend(state()), Backend(), kind=kind).apply()
        assert refused.value.code == KindUnsupported.code
