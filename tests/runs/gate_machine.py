"""Everything that somebody or something can do to the runs of one workspace, as rules of a state machine."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.core import clock, db
from app.core.artifacts import ArtifactStore, using
from app.core.blobs import MemoryBlobStore
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.permissions import Actor
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from app.runner.port import RunnerJob
from app.runs import deciding, ending, fingerprint, repository, settling, tasks
from app.runs.machine import FINAL, Kind, Status
from app.runs.models import TerraformRun
from app.state import service as state
from app.state.models import TerraformStateVersion
from app.workspaces import service as workspaces
from tests.factories import policies
from tests.factories.policies import PolicySets
from tests.factories.scene import Scene, new_scene, proof
from tests.runs.gate_model import Behaviour, Model, Plan, Policy

GATE = {Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED, Status.APPROVED}
REGO: dict[Behaviour, str] = {"denies": policies.DENIES, "passes": policies.PASSES, "fails": policies.FAILS}
MORE = {"when": "deletes", "required_approvals": 2}
PLANS = [Plan(), Plan(), Plan(destroys=1), Plan(adds=4), Plan(tags={"env": ("prod",)})]


class Place:
    """Where the machine runs; a test's fixture says so before it starts."""

    engine: Engine | None = None
    sets: PolicySets | None = None
    seen: Counter[str] = Counter()
    """How often what happened, so that a run in which nothing is ever applied shows."""


def state_versions(session: Session, scene: Scene) -> list[str]:
    """Return the ids of the workspace's state versions, oldest first."""
    query = select(TerraformStateVersion.id).filter_by(workspace_id=scene.workspace.id)
    return list(session.scalars(query.order_by(TerraformStateVersion.number)))


class Histories(RuleBasedStateMachine):
    """One workspace, its runs, and everybody who can do something to them. Refusals are fine."""

    def __init__(self) -> None:
        super().__init__()
        assert Place.engine is not None
        self._connection: Connection = Place.engine.connect()
        self._transaction = self._connection.begin()
        db.set_session_factory(self._session)
        self._around = ExitStack()
        self._around.enter_context(using(ArtifactStore(MemoryBlobStore(), key_ring())))
        self._later = timedelta()
        self._around.enter_context(clock.using(lambda: datetime.now(UTC) + self._later))
        self.model = Model()
        self.scene: Scene
        self.people: list[Actor] = []
        self.bot: Actor
        self.team: str
        self.jobs: dict[str, RunnerJob] = {}
        self.verified: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.halted = False
        self.attachment: str | None = None
        self.revision = 0

    def _session(self, _pool: db.Pool = "default") -> Session:
        return Session(self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")

    def teardown(self) -> None:
        if self.people:
            Place.seen["applied"] += len(self.runs(Status.APPLIED, kind=Kind.APPLY))
        self._around.close()
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
        start=st.sampled_from(["applying", "overridden", "ruled", "approved", "doubted", "gate", "nothing"]),
        doubt=st.sampled_from(["reject", "revoke", "disable", "demote", "run out"]),
    )
    def begin(self, required: int, own: bool, auto: bool, start: str, doubt: str) -> None:
        self.scene = new_scene(
            approvers=3, is_operator=True, required_approvals=required, requester_may_approve=own, auto_apply=auto
        )
        self.first_backend = self.scene.workspace.state_backend
        self.bot = self.scene.planner
        self.people = [*self.scene.approvers, self.scene.admin]
        self.model.deciders = {person.id for person in self.people}
        with unit_of_work() as session:
            self.team = identity.create_team(session, self.scene.admin, "security").id
        self.move_in_team(2, joins=True)
        if start == "overridden":
            self.attach("soft-mandatory", "denies")
        if start in {"ruled", "doubted"}:
            self.scene.change(approval_conditions=[MORE], approval_validity_seconds=3600)
        if start != "nothing":
            for _ in range(2):
                self.request("plan", speculative=False, by_person=False)
                self.run_on(finishes=True, plan=PLANS[2] if start == "ruled" else PLANS[0])
        if start == "overridden":
            self.override(0, 0, 3600)
        if start not in {"gate", "nothing"}:
            self.everybody_approves()
        if start == "doubted":
            self.claim()
            self.doubt(0, doubt)
        if start in {"applying", "overridden", "ruled"}:
            self.run_on(finishes=False, plan=PLANS[0])

    numbers = st.integers(0, 5)
    plans = st.sampled_from(PLANS)

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(
        kind=st.sampled_from(["plan", "plan", "destroy", "refresh"]),
        speculative=st.sampled_from([False, False, True]),
        by_person=st.booleans(),
    )
    def request(self, kind: str, speculative: bool, by_person: bool) -> None:
        self.scene.planner = self.scene.admin if by_person else self.bot
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

    @rule(number=numbers, who=st.integers(0, 4))
    def approve(self, number: int, who: int) -> None:
        run_id = self.some(number, *GATE)
        if run_id is not None:
            self.attempt(lambda: self.scene.approve(run_id, [*self.people, self.bot][who]))

    @rule(number=numbers, who=st.integers(0, 3), decision=st.sampled_from(["reject", "revoke"]))
    def disapprove(self, number: int, who: int, decision: str) -> None:
        run_id = self.some(number, *GATE)
        if run_id is not None:
            self.attempt(lambda: self.scene.disapprove(run_id, decision, self.people[who]))

    @precondition(lambda self: bool(self.runs(Status.POLICY_BLOCKED)))
    @rule(number=numbers, who=st.integers(0, 4), seconds=st.sampled_from([60, 3600]))
    def override(self, number: int, who: int, seconds: int) -> None:
        run_id = self.some(number, Status.POLICY_BLOCKED)
        if run_id is None:
            return
        shown = self.attempt(lambda: self.scene.override(run_id, [*self.people, self.bot][who], seconds=seconds))
        if shown is not None:
            assert self.model.policy is not None
            self.model.overridden_at[shown.overrides[-1].id] = self.model.policy.revision

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

    @rule(
        change=st.sampled_from(
            [
                {"required_approvals": 1},
                {"required_approvals": 2},
                {"approval_validity_seconds": 3600},
                {"approval_validity_seconds": None},
                {"plan_max_age_seconds": 7200},
                {"auto_apply": True},
                {"auto_apply": True, "auto_apply_allows_destroy": True},
                {"auto_apply": False},
                {"requester_may_approve": True},
                {"requester_may_approve": False},
                {"approval_conditions": []},
                {"approval_conditions": [MORE]},
                {"approval_conditions": [{"when": "changes_over", "threshold": 2, "required_approvals": 3}]},
                {"approval_conditions": [{"when": "tag", "tag": "env=prod", "required_approvals": 2}]},
            ]
        )
    )
    def change_rule(self, change: dict[str, Any]) -> None:
        self.scene.change(**change)

    @rule(of=st.sampled_from(["nobody", "rule", "condition"]))
    def change_team(self, of: str) -> None:
        teams = [self.team] if of != "nobody" else []
        if of == "condition":
            condition = {"when": "changes_over", "threshold": 0, "required_approvals": 1, "approver_team_ids": teams}
            self.scene.change(approval_conditions=[condition])
        else:
            self.scene.change(approver_team_ids=teams)

    @rule(who=st.integers(0, 2), joins=st.booleans())
    def move_in_team(self, who: int, joins: bool) -> None:
        person = self.people[who].id
        with unit_of_work() as session:
            if joins:
                identity.add_team_member(session, self.scene.admin, self.team, person)
            else:
                identity.remove_team_member(session, self.scene.admin, self.team, person)
        members = self.model.teams.setdefault(self.team, set())
        (members.add if joins else members.discard)(person)

    @rule(who=st.integers(0, 2), how=st.sampled_from(["disable", "demote", "restore", "restore"]))
    def change_rights(self, who: int, how: str) -> None:
        person = self.people[who].id
        wanted = UserChange(is_disabled=how == "disable", roles=[Role.VIEWER if how == "demote" else Role.APPROVER])
        with unit_of_work() as session:
            identity.update_user(session, self.scene.admin, person, wanted)
        (self.model.deciders.add if how == "restore" else self.model.deciders.discard)(person)

    @rule(
        level=st.sampled_from(["advisory", "soft-mandatory", "soft-mandatory", "hard-mandatory"]),
        behaviour=st.sampled_from(["denies", "denies", "passes", "fails"]),
    )
    def change_policy(self, level: Any, behaviour: Behaviour) -> None:
        """Attach a policy set, or change the files of what is attached."""
        if self.model.policy is None:
            self.attach(level, behaviour)
        else:
            assert self.attachment is not None
            self.model.policy = Policy(self.model.policy.level, behaviour, self._write(behaviour))
            policies.sync(self.scene, self.attachment)

    def attach(self, level: Any, behaviour: Behaviour) -> None:
        self.model.policy = Policy(level, behaviour, self._write(behaviour))
        self.attachment = policies.attach(self.scene, "policies/gate", level)

    def _write(self, behaviour: Behaviour) -> int:
        assert Place.sets is not None
        self.revision += 1
        Place.sets.write("gate", f"{REGO[behaviour]}\n# revision {self.revision}\n")
        return self.revision

    @precondition(lambda self: self.attachment is not None)
    @rule()
    def detach_policy(self) -> None:
        if self.attachment is not None:
            policies.detach(self.scene, self.attachment)
        self.attachment = self.model.policy = None

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

    # Rules: time, runners and the sweep.

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
    @rule(number=numbers, has_changes=st.sampled_from([True, True, True, False]), plan=plans)
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
    @rule(number=numbers, how=st.sampled_from(["reject", "revoke", "disable", "demote", "run out"]))
    def doubt(self, number: int, how: str) -> None:
        """Take an approval away between the claim of an apply and its verification."""
        job = self.job(number)
        if job is None or job.kind != "apply" or job.run_id in self.verified:
            return
        if how == "run out":
            self.wait(3600)
        elif how in {"disable", "demote"}:
            self.change_rights(0, how)
        else:
            self.attempt(lambda: self.scene.disapprove(job.planned_run_id or "", how, self.people[0]))
        self.verify(number)

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
        """Return the fingerprint that is about to be applied, after seeing for ourselves that it may be."""
        run = self.scene.run(run_id)
        plan = self.scene.run(run.parent_run_id or "")
        assert not self.halted, "nothing is let at the resources under a halt"
        with unit_of_work() as session:
            workspace = workspaces.get(session, self.scene.organization_id, self.scene.workspace.id)
            assert not fingerprint.moved_inputs(plan, fingerprint.inputs_of(session, workspace))
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

    @precondition(lambda self: bool(self.jobs))
    @rule(number=numbers)
    def die(self, number: int) -> None:
        """The supervisor is killed, and the worker that started it sees that."""
        job = self.job(number)
        if job is not None:
            self.scene.port.report_death(job.run_id, job.fencing_token, proof())

    @rule(finishes=st.booleans(), plan=plans)
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

    @rule()
    def everybody_approves(self) -> None:
        for run in self.runs(Status.AWAITING_APPROVAL):
            for person in self.people:
                self.attempt(lambda run=run, who=person: self.scene.approve(run.id, who))  # type: ignore[misc]

    @rule()
    def release_orphaned_lock(self) -> None:
        def release() -> None:
            with unit_of_work() as session:
                state.release_orphaned(session, self.scene.admin, self.scene.workspace.id)

        self.attempt(release)
