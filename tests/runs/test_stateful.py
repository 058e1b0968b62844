"""Random histories of one workspace over the real services: what was applied had its quorum over just that.

``SLUICE_TEST_EXAMPLES`` is how many histories are made (a long run: several hundred), ``SLUICE_TEST_STEPS`` how long
they are, and ``SLUICE_TEST_SEED`` draws others.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from sqlalchemy import Engine

from app.approvals import service as approvals
from app.core.db import unit_of_work
from app.runs import repository, service
from app.runs.machine import FINAL, MOVES, Kind, Status
from app.state import service as state
from app.workspaces import service as workspaces
from tests.factories.policies import PolicySets
from tests.runs.gate_intruders import Intruded
from tests.runs.gate_workspace import Place

EXAMPLES = int(os.environ.get("SLUICE_TEST_EXAMPLES", "12"))
STEPS = int(os.environ.get("SLUICE_TEST_STEPS", "25"))
SEED = os.environ.get("SLUICE_TEST_SEED")


class Gate(Intruded):
    """The histories, and what must always hold."""

    @invariant()
    def the_backend_is_the_last_applied_migrations(self) -> None:
        applied = [run for run in self.runs(Status.APPLIED, kind=Kind.APPLY) if "state_backend" in (run.target or {})]
        applied.sort(key=lambda run: run.finished_at or run.created_at)
        with unit_of_work() as session:
            now = workspaces.get(session, self.scene.organization_id, self.scene.workspace.id).state_backend
        assert now == ((applied[-1].target or {})["state_backend"] if applied else self.first_backend)

    @invariant()
    def what_moves_a_state_is_approved_by_people(self) -> None:
        with unit_of_work() as session:
            moved = [run.id for run in self.runs(Status.APPROVED, Status.APPLIED) if run.kind in MOVES]
            for decisions in approvals.decisions_of(session, moved).values():
                assert {item.actor.kind for item in decisions} == {"person"}

    @invariant()
    def what_was_applied_was_verified_with_its_quorum(self) -> None:
        for run in self.runs(Status.APPLIED):
            if run.kind == Kind.APPLY:
                assert self.verified.get(run.id) == run.fingerprint
                assert self.scene.status(run.parent_run_id or "") == Status.APPLIED
            else:
                with unit_of_work() as session:
                    child = repository.child_of(session, run.id)
                assert child is not None
                assert child.status == Status.APPLIED

    @invariant()
    def final_is_final(self) -> None:
        for run in self.runs():
            assert self.ended.setdefault(run.id, run.status) == run.status if run.status in FINAL else True

    @invariant()
    def at_most_one_engine_in_the_workspace(self) -> None:
        own = [run for run in self.runs() if not run.is_speculative]
        assert len([run for run in own if run.claimed_at is not None and run.quiesced_at is None]) <= 1

    @invariant()
    def the_lock_belongs_to_who_may_hold_it(self) -> None:
        with unit_of_work() as session:
            held = state.held_lock(session, self.scene.workspace.id)
        runs = {run.id: run for run in self.runs()}
        if held is None:
            assert not [
                run
                for run in runs.values()
                if run.status == Status.RUNNING and not run.is_speculative and run.kind != Kind.APPLY
            ]
            assert not [run_id for run_id in self.verified if runs[run_id].status == Status.RUNNING]
            return
        holder = runs[held.run_id]
        assert not holder.is_speculative
        assert held.is_orphaned == (holder.quiesced_at is not None)

    @invariant()
    def an_apply_is_live_only_with_an_approved_plan(self) -> None:
        for run in self.runs(Status.QUEUED, Status.RUNNING, kind=Kind.APPLY):
            assert self.scene.status(run.parent_run_id or "") == Status.APPROVED
        for run in self.runs(Status.APPROVED):
            with unit_of_work() as session:
                child = repository.child_of(session, run.id)
            assert child is not None
            assert child.status in (Status.QUEUED, Status.RUNNING)

    @invariant()
    def leases_belong_to_claimed_runs(self) -> None:
        for run in self.runs():
            assert (run.claimed_at is None) == (run.lease_expires_at is None) == (run.fencing_token == 0)
            assert run.status != Status.RUNNING or run.quiesced_at is None
            assert (run.finished_at is not None) == (run.status in FINAL)


@pytest.fixture
def place(
    _rolled_back_engine: Engine, sent_jobs: Any, sets: PolicySets, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[Place]]:
    Place.engine, Place.sets = _rolled_back_engine, sets
    Place.seen.clear()
    monkeypatch.setattr(service, "send", lambda *_, **__: True)
    yield Place
    Place.engine = Place.sets = None


@pytest.mark.slow
@pytest.mark.timeout(180 + 30 * EXAMPLES)
def test_gate_random_histories_keep_every_promise(place: type[Place]) -> None:
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=SEED is None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    machine = Gate if SEED is None else seed(int(SEED))(Gate)
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]
    print(f"{EXAMPLES} histories of {STEPS} steps: {dict(place.seen)}")
    assert place.seen["verified"], "histories in which nothing is let at the resources show nothing"
