"""An organization with people, a workspace and runs, made by the services; the runner's part is played by the test.

Works inside a rolled-back session and with real commits alike, since every step is a unit of work of its own.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from app import registry
from app.configurations import service as configurations
from app.core import clock
from app.core.db import unit_of_work
from app.core.ids import new_id
from app.core.permissions import Actor
from app.halt import service as halts
from app.halt.schemas import HaltOut, HaltRequest, ResumeRequest
from app.identity.roles import Role
from app.runner.port import (
    ApplyOutcome,
    ChangedTags,
    Counts,
    EngineInfo,
    Failure,
    PlanOutcome,
    ProofOfDeath,
    RunnerJob,
    SettleAnswer,
    StateAnswer,
    VerifyAnswer,
    WorkerInfo,
)
from app.runs import repository, service
from app.runs.models import TerraformRun
from app.runs.port import InProcessPort
from app.runs.schemas import DecisionRequest, MigrationRequest, OverrideRequest, RollbackRequest, RunOut, RunRequest
from app.specs import service as specs
from app.specs.schemas import StackIn
from app.state import service as state
from app.state.schemas import StateKind, StateVersionOut
from app.workspaces import service as workspaces
from app.workspaces.schemas import NewWorkspace, VariableIn, WorkspaceChange, WorkspaceOut
from tests.support import people
from tests.support.archives import archive

WORKER = WorkerInfo(name="test", host="test", pid=1)
LINEAGE = "5d3f6f3e-0000-4000-8000-000000000001"


def state_document(
    serial: int = 1, *, lineage: str = LINEAGE, outputs: dict[str, Any] | None = None, names: tuple[str, ...] = ("a",)
) -> bytes:
    """Return a state as an engine writes it."""
    resources = [
        {
            "mode": "managed",
            "type": "terraform_data",
            "name": name,
            "provider": 'provider["terraform.io/builtin/terraform"]',
            "instances": [{"attributes": {"id": name}}],
        }
        for name in names
    ]
    return json.dumps(
        {
            "version": 4,
            "terraform_version": "1.11.0",
            "serial": serial,
            "lineage": lineage,
            "outputs": outputs or {},
            "resources": resources,
        }
    ).encode()


def proof(kind: str = "wait_status") -> ProofOfDeath:
    """Return a proof of death of now."""
    return ProofOfDeath.model_validate({"kind": kind, "at": clock.now(), "pid": 1, "exit_code": 0})


@dataclass
class Scene:
    """One tenant with a workspace that has something to plan."""

    organization_id: str
    admin: Actor
    planner: Actor
    approvers: list[Actor]
    workspace: WorkspaceOut
    configuration_id: str
    port: InProcessPort = field(default_factory=InProcessPort)

    # What people do.

    def request(self, kind: str = "plan", *, speculative: bool = False, workspace: str | None = None) -> str:
        """Request a run and return its id."""
        wanted = RunRequest.model_validate(
            {
                "workspace": workspace or self.workspace.id,
                "kind": kind,
                "speculative": speculative,
                "configuration_id": self.configuration_id,
            }
        )
        with unit_of_work() as session:
            return str(service.request(session, self.planner, wanted, None)["id"])

    def rollback(self, state_version_id: str, actor: Actor | None = None) -> str:
        """Request a rollback of the workspace's state and return the run's id."""
        wanted = RollbackRequest(state_version_id=state_version_id)
        with unit_of_work() as session:
            return str(service.request_rollback(session, actor or self.admin, self.workspace.id, wanted, None)["id"])

    def migrate(self, backend: str, actor: Actor | None = None, **settings: Any) -> str:
        """Request that the workspace's state moves to another backend and return the run's id."""
        wanted = MigrationRequest.model_validate({"state_backend": backend, "state_backend_settings": settings})
        with unit_of_work() as session:
            return str(service.request_migration(session, actor or self.admin, self.workspace.id, wanted, None)["id"])

    def approve(self, run_id: str, actor: Actor | None = None) -> RunOut:
        with unit_of_work() as session:
            return service.approve(session, actor or self.approvers[0], run_id, DecisionRequest())

    def disapprove(self, run_id: str, decision: Any, actor: Actor | None = None) -> RunOut:
        with unit_of_work() as session:
            return service.disapprove(session, actor or self.approvers[0], run_id, decision, DecisionRequest())

    def override(
        self,
        run_id: str,
        actor: Actor | None = None,
        *,
        reason: str = "The old rule is being changed.",
        seconds: int | None = None,
        fingerprint: str | None = None,
    ) -> RunOut:
        """Override the soft-mandatory policies that block a run."""
        wanted = OverrideRequest(reason=reason, expires_in_seconds=seconds, fingerprint=fingerprint)
        with unit_of_work() as session:
            return service.override(session, actor or self.approvers[-1], run_id, wanted)

    def discard(self, run_id: str, actor: Actor | None = None) -> RunOut:
        with unit_of_work() as session:
            return service.discard(session, actor or self.admin, run_id, "not needed")

    def cancel(self, run_id: str, actor: Actor | None = None) -> RunOut:
        with unit_of_work() as session:
            return service.cancel(session, actor or self.admin, run_id, "")

    def child(self, run_id: str) -> str:
        """Return the id of the run's apply."""
        with unit_of_work() as session:
            found = repository.child_of(session, run_id)
            assert found is not None, f"{run_id} has no apply"
            return found.id

    def halt(self, scope: str = "workspace", *, latch: bool = True, actor: Actor | None = None) -> HaltOut:
        with unit_of_work("halt") as session:
            workspace = self.workspace.id if scope == "workspace" else None
            wanted = HaltRequest.model_validate(
                {"scope": scope, "workspace": workspace, "reason": "fire", "latch": latch}
            )
            return halts.halt(session, actor or self.admin, wanted)

    def resume(self, scope: str = "workspace") -> HaltOut:
        with unit_of_work("halt") as session:
            workspace = self.workspace.id if scope == "workspace" else None
            wanted = ResumeRequest.model_validate({"scope": scope, "workspace": workspace, "reason": "out"})
            return halts.resume(session, self.admin, wanted)

    def put_variable(self, value: str, *, key: str = "region", sensitive: bool = False, is_hcl: bool = False) -> None:
        with unit_of_work() as session:
            body = VariableIn(value=value, is_sensitive=sensitive, is_hcl=is_hcl)
            workspaces.put_variable(session, self.admin, self.workspace.id, "terraform", key, body)

    def change(self, **settings: Any) -> None:
        with unit_of_work() as session:
            wanted = WorkspaceChange.model_validate(settings)
            workspaces.change(session, self.admin, self.workspace.id, wanted)

    # What the runner does.

    def claim(self, run_id: str) -> RunnerJob | None:
        return self.port.claim(run_id, WORKER)

    def claimed(self, run_id: str) -> RunnerJob:
        """Claim a run that must be claimable."""
        job = self.claim(run_id)
        assert job is not None, f"{run_id} could not be claimed: {self.run(run_id).status}"
        return job

    def claim_next(self) -> RunnerJob | None:
        """Claim whatever goes first, of all organizations, as a worker does; None when nothing may start."""
        lost: set[str] = set()
        while True:
            run_id, job = self.port.claim_next(WORKER, lost)
            if run_id is None or job is not None:
                return job
            lost.add(run_id)

    def outcome(
        self,
        job: RunnerJob,
        *,
        has_changes: bool = True,
        adds: int = 1,
        destroys: int = 0,
        tags: dict[str, tuple[str, ...]] | None = None,
        view: str = "{}",
    ) -> PlanOutcome:
        """Store a plan's artifacts and return what the runner says of it."""
        run = self.run(job.run_id)
        if job.kind in {"rollback", "migration"}:
            return self._outlined(job)

        def put(kind: Any, text: str = "{}") -> Any:
            return self.port.put_artifact(job.run_id, job.fencing_token, kind, text.encode())

        return PlanOutcome(
            engine=EngineInfo(kind="tofu", version="1.12.6", sha256="0"),
            has_changes=has_changes,
            counts=Counts(add=adds, destroy=destroys),
            changed_tags=ChangedTags(values=dict(tags or {})),
            plan_file=put("plan_file", job.run_id),
            plan_json=put("plan_json", json.dumps({"format_version": "1.2", "resource_changes": []})),
            plan_view=put("plan_view", view),
            lock_file=None,
            side_files=None,
            working_directory="/run/work",
            state_lineage=run.state_lineage,
            state_serial=run.state_serial or 0,
            timings=(),
        )

    def _outlined(self, job: RunnerJob) -> PlanOutcome:
        found = None
        if job.kind == "migration":
            with unit_of_work() as session:
                newest = state.current(session, self.workspace.id)
                found = state.content(session, self.organization_id, newest.id) if newest is not None else None
        outlined = self.port.outline(job.run_id, job.fencing_token, found)
        return PlanOutcome(
            engine=EngineInfo(kind="tofu", version="1.12.6", sha256="0"),
            **outlined.model_dump(),
            lock_file=None,
            side_files=None,
            working_directory="/run/work",
            state_lineage=job.state_lineage,
            state_serial=job.state_serial,
            timings=(),
        )

    def settle(self, job: RunnerJob, **options: Any) -> SettleAnswer:
        """Check the policies and settle."""
        outcome = self.outcome(job, **options)
        self.port.check(job.run_id, job.fencing_token, outcome)
        return self.port.settle(job.run_id, job.fencing_token, outcome)

    def roll_back(self, job: RunnerJob) -> str:
        """Do what the runner does in a verified rollback; return the id of the state version that it wrote."""
        assert job.plan_file is not None
        data = self.port.get_artifact(job.run_id, job.fencing_token, job.plan_file)
        kept = self.port.put_state(job.run_id, job.fencing_token, "rolled_back", data)
        self.finish(job, kept.state_version_id)
        return kept.state_version_id

    def quiesce(self, job: RunnerJob) -> None:
        self.port.quiesce(job.run_id, job.fencing_token, proof())

    def at_gate(self, kind: str = "plan", **options: Any) -> str:
        """Request, claim, settle and quiesce a run; return its id."""
        run_id = self.request(kind)
        job = self.claimed(run_id)
        self.settle(job, **options)
        self.quiesce(job)
        return run_id

    def approved(self) -> tuple[str, str]:
        """Bring a plan through the gate; return (plan, apply)."""
        run_id = self.at_gate()
        self.approve(run_id)
        return run_id, self.child(run_id)

    def verify(self, job: RunnerJob) -> VerifyAnswer:
        return self.port.verify(job.run_id, job.fencing_token)

    def applying(self) -> tuple[str, RunnerJob]:
        """Return (plan, the job of its apply), verified and running."""
        plan, apply = self.approved()
        job = self.claimed(apply)
        assert self.verify(job).may_apply
        return plan, job

    def put_state(self, job: RunnerJob, serial: int = 1, **options: Any) -> StateAnswer:
        return self.port.put_state(job.run_id, job.fencing_token, "applied", state_document(serial, **options))

    def finish(self, job: RunnerJob, state_version_id: str | None = None) -> None:
        done = ApplyOutcome(state_version_id=state_version_id, resources_applied=1, timings=())
        self.port.finish(job.run_id, job.fencing_token, done)

    def fail(self, job: RunnerJob, code: str = "engine_failed") -> None:
        self.port.fail(job.run_id, job.fencing_token, Failure(phase="planning", code=code, message="It broke."))

    def apply_to_end(self, job: RunnerJob, serial: int = 1) -> None:
        """Store a state, finish and quiesce a running apply."""
        self.finish(job, self.put_state(job, serial).state_version_id)
        self.quiesce(job)

    def store(
        self, data: bytes, *, run_id: str | None = None, kind: StateKind = "applied", replaces_lineage: bool = False
    ) -> StateVersionOut:
        """Store a state version of the workspace in a transaction of its own; no run made it, unless one is named."""
        with unit_of_work() as session:
            return state.store_version(
                session,
                organization_id=self.organization_id,
                workspace_id=self.workspace.id,
                run_id=run_id,
                kind=kind,
                data=data,
                created_by=self.admin.describe(),
                replaces_lineage=replaces_lineage,
            )

    # What a test looks at.

    def run(self, run_id: str) -> TerraformRun:
        """Return the run's row as it is committed."""
        with unit_of_work() as session:
            found = repository.by_id(session, run_id)
            assert found is not None, f"there is no run {run_id}"
            return found

    def shown(self, run_id: str, actor: Actor | None = None) -> RunOut:
        """Return the run as the API shows it to ``actor`` (the admin)."""
        with unit_of_work() as session:
            return service.get(session, actor or self.admin, run_id)

    def status(self, run_id: str) -> str:
        return self.run(run_id).status

    def evidence(self, run_id: str) -> list[str]:
        """Return the kinds of the run's evidence, oldest first."""
        with unit_of_work() as session:
            return [row.kind for row in repository.evidence_of(session, run_id)]


def new_scene(*, name: str = "scene", approvers: int = 2, is_operator: bool = False, **rules: Any) -> Scene:
    """Make a tenant with an admin, a planner, approvers and a workspace with these rules."""
    registry.connect()
    with unit_of_work() as session:
        organization_id = people.organization(session, name, is_operator=is_operator)
        admin = people.person(session, organization_id, Role.ADMIN, name="Ada").actor
        planner = people.account(session, organization_id, Role.PLANNER).actor
        deciders = [
            people.person(session, organization_id, Role.APPROVER, name=f"Approver {number}").actor
            for number in range(approvers)
        ]
        stack = new_id("net").lower()
        specs.create_stack(session, admin, StackIn(name=stack))
        workspace = workspaces.create(session, admin, NewWorkspace(name=stack, stack=stack, **rules))
        stored = configurations.store_archive(session, planner, archive())
    return Scene(organization_id, admin, planner, deciders, workspace, stored.id)


def second_workspace(scene: Scene, **rules: Any) -> Scene:
    """Return the same tenant's people with another workspace."""
    with unit_of_work() as session:
        name = new_id("net").lower()
        made = workspaces.create(session, scene.admin, NewWorkspace(name=name, stack=scene.workspace.stack.id, **rules))
    return Scene(scene.organization_id, scene.admin, scene.planner, scene.approvers, made, scene.configuration_id)
