"""Random histories of one workspace over the real services: what was applied had its quorum over just that."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.core import db
from app.core.artifacts import ArtifactStore, using
from app.core.blobs import MemoryBlobStore
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.runner.port import RunnerJob
from app.runs import deciding, ending, fingerprint, repository, settling
from app.runs.machine import FINAL, MOVES, Kind, Status
from app.runs.models import TerraformRun
from app.runs.rules import approval_rules
from app.state import service as state
from app.state.models import TerraformStateVersion
from app.workspaces import service as workspaces
from tests.factories.scene import Scene, new_scene

GATE = {Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED, Status.APPROVED}
POLICY = "policies/no_local_exec"
ENGINE: Engine | None = None


def state_versions(session: Session, scene: Scene) -> list[str]:
    """Return the ids of the workspace's state versions, oldest first."""
    query = select(TerraformStateVersion.id).filter_by(workspace_id=scene.workspace.id)
    return list(session.scalars(query.order_by(TerraformStateVersion.number)))


class Gate(RuleBasedStateMachine):
    """One workspace, its runs, and everybody who can do something to them. Refusals are fine."""

    def __init__(self) -> None:
        super().__init__()
        assert ENGINE is not None
        self._connection: Connection = ENGINE.connect()
        self._transaction = self._connection.begin()
        db.set_session_factory(self._session)
        self._blobs = using(ArtifactStore(MemoryBlobStore(), key_ring()))
        self._blobs.__enter__()
        self.scene: Scene
        self.jobs: dict[str, RunnerJob] = {}
        self.verified: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.halted = False
        self.attachment: str | None = None

    def _session(self, _pool: db.Pool = "default") -> Session:
        return Session(self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")

    def teardown(self) -> None:
        self._blobs.__exit__(None, None, None)
        db.set_session_factory(None)
        self._transaction.rollback()
        self._connection.close()

    # Looking.

    def runs(self, *statuses: Status, kind: Kind | None = None) -> list[TerraformRun]:
        with unit_of_work() as session:
            rows = session.scalars(
                select(TerraformRun).filter_by(workspace_id=self.scene.workspace.id).order_by(TerraformRun.id)
            ).all()
        return [row for row in rows if (not statuses or row.status in statuses) and (kind is None or row.kind == kind)]

    def some(self, number: int, *statuses: Status) -> str | None:
        found = self.runs(*statuses)
        return found[number % len(found)].id if found else None

    def job(self, number: int) -> RunnerJob | None:
        found = list(self.jobs.values())
        return found[number % len(found)] if found else None

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Do what the product may refuse, by a typed error."""
        with suppress(AppError):
            return action()
        return None

    # Rules: people.

    @initialize(
        required=st.sampled_from([1, 2]),
        own=st.booleans(),
        auto=st.sampled_from([False, False, True]),
        start=st.sampled_from(["applying", "approved", "gate", "nothing"]),
    )
    def begin(self, required: int, own: bool, auto: bool, start: str) -> None:
        self.scene = new_scene(
            approvers=2, is_operator=True, required_approvals=required, requester_may_approve=own, auto_apply=auto
        )
        self.first_backend = self.scene.workspace.state_backend
        if start != "nothing":
            for _ in range(2):
                self.request("plan", speculative=False)
                self.run_on(finishes=True)
        if start in {"approved", "applying"}:
            self.everybody_approves()
        if start == "applying":
            self.run_on(finishes=False)

    numbers = st.integers(0, 5)

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(
        kind=st.sampled_from(["plan", "plan", "destroy", "refresh"]), speculative=st.sampled_from([False, False, True])
    )
    def request(self, kind: str, speculative: bool) -> None:
        self.attempt(lambda: self.scene.request(kind, speculative=speculative))

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(number=numbers)
    def roll_back(self, number: int) -> None:
        with unit_of_work() as session:
            found = state_versions(session, self.scene)
        if found:
            self.attempt(lambda: self.scene.rollback(found[number % len(found)]))

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(backend=st.sampled_from(["managed", "local"]))
    def migrate(self, backend: str) -> None:
        self.attempt(lambda: self.scene.migrate(backend))

    @rule(number=numbers, who=st.integers(0, 2))
    def approve(self, number: int, who: int) -> None:
        run_id = self.some(number, *GATE)
        if run_id is not None:
            people = [*self.scene.approvers, self.scene.planner]
            self.attempt(lambda: self.scene.approve(run_id, people[who]))

    @rule(number=numbers, who=st.integers(0, 1), decision=st.sampled_from(["reject", "revoke"]))
    def disapprove(self, number: int, who: int, decision: str) -> None:
        run_id = self.some(number, *GATE)
        if run_id is not None:
            self.attempt(lambda: self.scene.disapprove(run_id, decision, self.scene.approvers[who]))

    @rule(number=numbers)
    def discard(self, number: int) -> None:
        run_id = self.some(number)
        if run_id is not None:
            self.attempt(lambda: self.scene.discard(run_id))

    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        run_id = self.some(number, Status.QUEUED, Status.RUNNING, Status.APPROVED)
        if run_id is not None:
            self.attempt(lambda: self.scene.cancel(run_id))

    @rule(value=st.sampled_from(["eu", "us"]))
    def change_variable(self, value: str) -> None:
        self.scene.put_variable(value)

    @rule(required=st.sampled_from([1, 2]))
    def change_rule(self, required: int) -> None:
        self.scene.change(required_approvals=required)

    @rule()
    def change_policy(self) -> None:
        def attach() -> str:
            body = PolicyAttachmentIn(
                policy_set_uri=POLICY, enforcement_level="advisory", workspace=self.scene.workspace.id
            )
            with unit_of_work() as session:
                return policy.attach(session, self.scene.admin, body).id

        if self.attachment is None:
            self.attachment = attach()
        else:
            with unit_of_work() as session:
                policy.detach(session, self.scene.admin, self.attachment)
            self.attachment = None

    @rule()
    def reevaluate(self) -> None:
        for run in self.runs(Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED):
            settling.reevaluate(run.id)

    @rule()
    def supersede_moved(self) -> None:
        with unit_of_work() as session:
            deciding.supersede_moved(session, self.scene.workspace.id)

    @rule(scope=st.sampled_from(["workspace", "organization", "everything"]), latch=st.booleans())
    def halt(self, scope: str, latch: bool) -> None:
        self.scene.halt(scope, latch=latch)
        assert not self.runs(*(set(Status) - FINAL)), "a halt leaves nothing alive"
        if latch:
            self.halted = True

    @precondition(lambda self: self.halted)
    @rule()
    def resume(self) -> None:
        for scope in ("workspace", "organization", "everything"):
            self.attempt(lambda scope=scope: self.scene.resume(scope))  # type: ignore[misc]
        self.halted = False

    # Rules: runners and the sweep.

    @rule()
    def claim(self) -> None:
        for run in self.runs(Status.QUEUED):
            job = self.attempt(lambda run=run: self.scene.claim(run.id))  # type: ignore[misc]
            if job is not None:
                assert not self.halted, "nothing is claimed under a halt"
                self.jobs[run.id] = job

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers, has_changes=st.sampled_from([True, True, True, False]))
    def settle(self, number: int, has_changes: bool) -> None:
        job = self.job(number)
        if job is not None and job.kind != "apply":
            self.attempt(lambda: self.scene.settle(job, has_changes=has_changes))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers)
    def verify(self, number: int) -> None:
        job = self.job(number)
        if job is None or job.kind != "apply" or job.run_id in self.verified:
            return
        answer = self.attempt(lambda: self.scene.verify(job))
        if answer is not None and answer.may_apply:
            self.verified[job.run_id] = self._signed(job.run_id)

    def _signed(self, run_id: str) -> str:
        """Return the fingerprint that is about to be applied, after seeing for ourselves that it has its quorum."""
        run = self.scene.run(run_id)
        plan = self.scene.run(run.parent_run_id or "")
        with unit_of_work() as session:
            workspace = workspaces.get(session, self.scene.organization_id, self.scene.workspace.id)
            assert deciding.quorum_of(session, plan, workspace).reached
            assert not fingerprint.moved_inputs(plan, fingerprint.inputs_of(session, workspace))
            decisions = approvals.decisions_of(session, [plan.id])[plan.id]
        good = [
            item
            for item in decisions
            if item.decision == "approve" and item.voided_at is None and item.fingerprint == plan.fingerprint
        ]
        if not any(item.actor.kind == "system" for item in good):
            assert len({item.actor.id for item in good}) >= workspace.required_approvals
            assert self.scene.planner.id not in {item.actor.id for item in good}
        else:
            assert approval_rules(workspace).allows_automatic
        assert fingerprint.fingerprint(plan.fingerprint_parts or {}) == plan.fingerprint == run.fingerprint
        return plan.fingerprint or ""

    @precondition(lambda self: bool(self.verified))
    @rule(number=numbers)
    def finish(self, number: int) -> None:
        jobs = [job for job in self.jobs.values() if job.run_id in self.verified]
        if jobs:
            self._finish(jobs[number % len(jobs)])

    def _finish(self, job: RunnerJob) -> None:
        if job.planned_kind == "rollback":
            self.attempt(lambda: self.scene.roll_back(job))
            return
        if job.planned_kind == "migration":
            self.attempt(lambda: self.scene.finish(job))
            return
        with unit_of_work() as session:
            newest = state.current(session, self.scene.workspace.id)
        serial = newest.serial + 1 if newest is not None else 1
        stored = self.attempt(lambda: self.scene.put_state(job, serial, names=(f"a{serial}",)))
        self.attempt(lambda: self.scene.finish(job, stored.state_version_id if stored is not None else None))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers)
    def fail(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            self.attempt(lambda: self.scene.fail(job))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers)
    def acknowledge(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            self.attempt(lambda: self.scene.port.acknowledge(job.run_id, job.fencing_token, None))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers)
    def quiesce(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            self.scene.quiesce(job)
            self.jobs.pop(job.run_id)

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers)
    def expire(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            with unit_of_work() as session:
                run = repository.lock(session, job.run_id)
                assert run is not None
                run.lease_expires_at = run.claimed_at
            with unit_of_work() as session:
                ending.expire(session, job.run_id)

    @rule(finishes=st.booleans())
    def run_on(self, finishes: bool) -> None:
        """Let runners claim what is in turn and work, as they do when nothing comes between."""
        self.claim()
        for job in list(self.jobs.values()):
            if job.kind != "apply":
                self.attempt(lambda job=job: self.scene.settle(job))  # type: ignore[misc]
            elif job.run_id not in self.verified:
                answer = self.attempt(lambda job=job: self.scene.verify(job))  # type: ignore[misc]
                if answer is not None and answer.may_apply:
                    self.verified[job.run_id] = self._signed(job.run_id)
            if finishes:
                if job.run_id in self.verified:
                    self._finish(job)
                self.scene.quiesce(job)
                self.jobs.pop(job.run_id)

    @rule()
    def everybody_approves(self) -> None:
        for run in self.runs(Status.AWAITING_APPROVAL):
            for approver in self.scene.approvers:
                self.attempt(lambda run=run, who=approver: self.scene.approve(run.id, who))  # type: ignore[misc]

    @rule()
    def release_orphaned_lock(self) -> None:
        def release() -> None:
            with unit_of_work() as session:
                state.release_orphaned(session, self.scene.admin, self.scene.workspace.id)

        self.attempt(release)

    # What must always hold.

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
def engine(_rolled_back_engine: Engine, sent_jobs: Any) -> Iterator[None]:
    global ENGINE
    ENGINE = _rolled_back_engine
    yield
    ENGINE = None


@pytest.mark.slow
def test_gate_random_histories_keep_every_promise(engine: None) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Gate,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
