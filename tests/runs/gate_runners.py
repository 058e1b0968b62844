"""Everything that time, runners and the sweep do to the runs of a workspace, as rules of a state machine."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from app.approvals import service as approvals
from app.core import clock
from app.core.db import unit_of_work
from app.runner.port import RunnerJob
from app.runs import deciding, ending, fingerprint, repository, settling, tasks
from app.runs.machine import Status
from app.state import service as state
from app.workspaces import service as workspaces
from tests.factories.scene import proof
from tests.runs.gate_model import Plan
from tests.runs.gate_workspace import NUMBERS, Place, Workspace

PLANS = [Plan(), Plan(), Plan(destroys=1), Plan(adds=4), Plan(tags={"env": ("prod",)})]


class Runners(Workspace):
    """Claims, plans, verifications, ends and deaths."""

    @rule()
    def reevaluate(self) -> None:
        for run in self.runs(Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED):
            settling.reevaluate(run.id)

    @rule()
    def supersede_moved(self) -> None:
        with unit_of_work() as session:
            deciding.supersede_moved(session, self.scene.workspace.id)

    @rule(seconds=st.sampled_from([1, 59, 1800, 3600]))
    def wait(self, seconds: int) -> None:
        """Let time pass. Runners beat meanwhile, so that no lease runs out by it."""
        self._later += timedelta(seconds=seconds)
        for job in self.jobs.values():
            self.attempt(lambda job=job: self.scene.port.heartbeat(job.run_id, job.fencing_token, None))  # type: ignore[misc]

    @rule()
    def sweep(self) -> None:
        tasks.sweep()

    @rule()
    def claim(self) -> None:
        for run in self.runs(Status.QUEUED):
            job = self.attempt(lambda run=run: self.scene.claim(run.id))  # type: ignore[misc]
            if job is not None:
                assert not self.halted, "nothing is claimed under a halt"
                self.jobs[run.id] = job

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS, has_changes=st.sampled_from([True, True, True, False]), plan=st.sampled_from(PLANS))
    def settle(self, number: int, has_changes: bool, plan: Plan) -> None:
        job = self.job(number)
        if job is not None and job.kind != "apply":
            self._settle(job, plan, has_changes=has_changes)

    def _settle(self, job: RunnerJob, plan: Plan, *, has_changes: bool = True) -> None:
        before = self.scene.run(job.run_id)
        if before.status == Status.RUNNING and before.fencing_token == job.fencing_token:
            self.model.plans[job.run_id] = plan
        options = {"adds": plan.adds, "destroys": plan.destroys, "tags": plan.tags}
        self.attempt(lambda: self.scene.settle(job, has_changes=has_changes, **options))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS)
    def verify(self, number: int) -> None:
        job = self.job(number)
        if job is None or job.kind != "apply" or job.run_id in self.verified:
            return
        answer = self.attempt(lambda: self.scene.verify(job))
        if answer is not None and answer.may_apply:
            self.verified[job.run_id] = self._signed(job.run_id)

    def _signed(self, run_id: str) -> str:
        """Return the fingerprint that is about to be applied, after seeing for ourselves that it may be."""
        run = self.scene.run(run_id)
        plan = self.scene.run(run.parent_run_id or "")
        assert not self.halted, "nothing is let at the resources under a halt"
        with unit_of_work() as session:
            workspace = workspaces.get(session, self.scene.organization_id, self.scene.workspace.id)
            assert not fingerprint.moves(plan, fingerprint.inputs_of(session, workspace))
            decisions = approvals.decisions_of(session, [plan.id]).get(plan.id, [])
            overrides = approvals.overrides_of(session, [plan.id]).get(plan.id, [])
        why_not = self.model.why_not(plan, workspace, decisions, overrides, clock.now())
        assert why_not is None, f"{plan.id} is let at the resources although {why_not}"
        assert fingerprint.fingerprint(plan.fingerprint_parts or {}) == plan.fingerprint == run.fingerprint
        Place.seen["verified"] += 1
        Place.seen["verified, overridden"] += bool(overrides)
        Place.seen["verified, by the rule alone"] += {item.actor.kind for item in decisions} == {"system"}
        Place.seen["verified, with a condition"] += any(
            self.model.holds(item, plan) for item in workspace.approval_conditions
        )
        return plan.fingerprint or ""

    @precondition(lambda self: bool(self.verified))
    @rule(number=NUMBERS)
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
    @rule(number=NUMBERS)
    def fail(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            self.attempt(lambda: self.scene.fail(job))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS)
    def acknowledge(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            self.attempt(lambda: self.scene.port.acknowledge(job.run_id, job.fencing_token, None))

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS)
    def quiesce(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            self.scene.quiesce(job)
            self.jobs.pop(job.run_id)

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS)
    def expire(self, number: int) -> None:
        job = self.job(number)
        if job is not None:
            with unit_of_work() as session:
                run = repository.lock(session, job.run_id)
                assert run is not None
                run.lease_expires_at = run.claimed_at
            with unit_of_work() as session:
                ending.expire(session, job.run_id)

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS)
    def die(self, number: int) -> None:
        """The supervisor is killed, and the worker that started it sees that."""
        job = self.job(number)
        if job is not None:
            self.scene.port.report_death(job.run_id, job.fencing_token, proof())

    @rule(finishes=st.booleans(), plan=st.sampled_from(PLANS))
    def run_on(self, finishes: bool, plan: Plan) -> None:
        """Let runners claim what is in turn and work, as they do when nothing comes between."""
        self.claim()
        for job in list(self.jobs.values()):
            if job.kind != "apply":
                self._settle(job, plan)
            elif job.run_id not in self.verified:
                answer = self.attempt(lambda job=job: self.scene.verify(job))  # type: ignore[misc]
                if answer is not None and answer.may_apply:
                    self.verified[job.run_id] = self._signed(job.run_id)
            if finishes:
                if job.run_id in self.verified:
                    self._finish(job)
                self.scene.quiesce(job)
                self.jobs.pop(job.run_id)
