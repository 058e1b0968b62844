"""``RunnerPort`` in process: each call is one transaction (evaluating policies aside, which holds none)."""

from collections.abc import Collection
from datetime import timedelta

from pydantic import JsonValue
from sqlalchemy.orm import Session

from app.core import clock, events
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import unit_of_work
from app.core.errors import IntegrityError
from app.core.settings import get_settings
from app.policy import service as policy
from app.progress import service as progress
from app.runner.port import (
    ApplyOutcome,
    ApplySteps,
    ArtifactKind,
    CheckAnswer,
    Failure,
    HeartbeatAnswer,
    LeaseLost,
    MovePlan,
    Phase,
    PlanOutcome,
    ProgressRecord,
    ProofOfDeath,
    RunnerJob,
    SettleAnswer,
    StateAnswer,
    StateKind,
    StopOrder,
    VerifyAnswer,
    WorkerInfo,
)
from app.runs import claiming, ending, migrating, moving, repository, settling
from app.runs.events import ApplyStepsCame
from app.runs.fingerprint import checked_bundles_digest
from app.runs.machine import Kind, Status
from app.runs.models import TerraformRun
from app.runs.transition import note
from app.state import service as state
from app.state.errors import StateConflict, StateLocked, StateUnreadable


class InProcessPort:
    """Implements ``runner.port.RunnerPort`` over this process's database and artifact store."""

    def __init__(self) -> None:
        self._organizations: dict[str, str] = {}

    def claim(self, run_id: str, worker: WorkerInfo) -> RunnerJob | None:
        """Claim by compare-and-swap; None for whoever loses."""
        with unit_of_work() as session:
            return claiming.claim(session, run_id, worker)

    def claim_next(self, worker: WorkerInfo, tried: Collection[str]) -> tuple[str | None, RunnerJob | None]:
        """Claim the run that goes first; without a job it was lost, without an id nothing may start."""
        with unit_of_work() as session:
            return claiming.claim_next(session, worker, tried)

    def heartbeat(self, run_id: str, token: int, phase: Phase | None) -> HeartbeatAnswer:
        """Renew the lease and say whether to stop. Raises ``LeaseLost``."""
        expires_at = clock.now() + timedelta(seconds=get_settings().lease_seconds)
        with unit_of_work() as session:
            run = repository.beat(session, run_id, token, phase, expires_at)
            if run is None:
                raise LeaseLost(f"The lease of {run_id} is no longer this runner's.")
            state.beat(session, run_id)
            return HeartbeatAnswer(stop=_order(run), reason=run.status_reason, lease_expires_at=expires_at)

    def append(self, run_id: str, token: int, records: list[ProgressRecord]) -> None:
        """Append to the run's stream, until it has quiesced. Raises ``LeaseLost``."""
        with unit_of_work() as session:
            phases = [record.data.get("phase") for record in records if record.kind == "phase"]
            self._held(session, run_id, token, phase=str(phases[-1]) if phases else None)
            progress.append(session, run_id, records)

    def get_artifact(self, run_id: str, token: int, reference: ArtifactRef) -> bytes:
        """Return an artifact that the job names. Raises ``LeaseLost``, ``NotFound`` and ``IntegrityError``.

        What lies in the artifact store is sealed to its owner and asks nobody; a state is put together by the database.
        """
        if reference.kind != state.ARTIFACT_KIND:
            return artifact_store().get(reference)
        with unit_of_work() as session:
            place = self._held(session, run_id, token)
            if reference.organization_id != place.organization_id:
                raise IntegrityError(f"The artifact {reference.key} is not this organization's.")
            return state.content(session, place.organization_id, reference.owner)

    def put_artifact(self, run_id: str, token: int, kind: ArtifactKind, data: bytes) -> ArtifactRef:
        """Store an artifact, owned by the run.

        A runner that lost its lease meanwhile leaves a blob that nothing names: settling demands the token.
        """
        organization_id = self._organizations.get(run_id)
        if organization_id is None:
            with unit_of_work() as session:
                organization_id = self._held(session, run_id, token).organization_id
        return artifact_store().put(data, organization_id=organization_id, kind=kind, owner=run_id)

    def put_state(self, run_id: str, token: int, kind: StateKind, data: bytes) -> StateAnswer:
        """Store a state version in a transaction of its own.

        A run whose lease was swept keeps this right until it has quiesced, so the token is noted, not demanded. What
        can't follow the current version, comes while another holds the lock, or after the run has quiesced, goes to
        quarantine; the answer then names it there. Raises ``LeaseLost`` when the run is gone with its workspace.
        """
        with unit_of_work() as session:
            run = repository.by_id(session, run_id)
            if run is None:
                raise LeaseLost(f"Run {run_id} is gone, and its workspace with it.")
            known = state.by_content(session, run.workspace_id, data) if run.quiesced_at is not None else None
            if known is not None:
                return StateAnswer(state_version_id=known.id, serial=known.serial)
            try:
                _refuse_quiesced(run)
                _refuse_beside_another_holder(session, run)
                stored = state.store_version(
                    session,
                    organization_id=run.organization_id,
                    workspace_id=run.workspace_id,
                    run_id=run_id,
                    kind=kind,
                    data=state.left_by_first_apply(session, run.workspace_id, data) if kind == "errored" else data,
                    created_by=run.requested_by,
                    # What lies in a backend of somebody else's is what it is, whatever was there before.
                    replaces_lineage=kind == "pulled",
                )
            except (LeaseLost, StateConflict, StateLocked, StateUnreadable) as refusal:
                kept = state.quarantine(
                    session,
                    organization_id=run.organization_id,
                    workspace_id=run.workspace_id,
                    run_id=run_id,
                    kind=kind,
                    code=refusal.code,
                    reason=refusal.detail,
                    data=data,
                    created_by=run.requested_by,
                )
                if kept is None:
                    raise
                note(session, run, "state_quarantined", {"quarantine_id": kept.id, "code": kept.code, "kind": kind})
                return StateAnswer(state_version_id=kept.id, serial=kept.serial or 0, quarantined=True)
            ending.state_moved(session, run.workspace_id)
            if token != run.fencing_token:
                note(session, run, "late_state", {"state_version_id": stored.id, "kind": kind})
        return StateAnswer(state_version_id=stored.id, serial=stored.serial)

    def outline(self, run_id: str, token: int, found: bytes | None, there: bytes | None = None) -> MovePlan:
        """Compare and store the plan of a run that moves a state. Raises ``LeaseLost``."""
        with unit_of_work() as session:
            run = self._held_run(session, run_id, token)
            if run.kind == Kind.MIGRATION:
                return migrating.outline(session, run, found, there)
            return moving.outline(session, run, found)

    def check(self, run_id: str, token: int, outcome: PlanOutcome) -> CheckAnswer:
        """Evaluate the workspace's policies over the stored plan. Raises ``LeaseLost``."""
        with unit_of_work() as session:
            self._held(session, run_id, token)
        return settling.check_plan(run_id, outcome.plan_json, stage="plan")

    def settle(self, run_id: str, token: int, outcome: PlanOutcome) -> SettleAnswer:
        """End a plan run by the machine."""
        with unit_of_work() as session:
            return settling.settle(session, run_id, token, outcome)

    def verify(self, run_id: str, token: int) -> VerifyAnswer:
        """Evaluate the policies again, then verify everything in the transaction that takes the lock."""
        with unit_of_work() as session:
            run = self._held_run(session, run_id, token)
            parent = repository.by_id(session, run.parent_run_id or "")
            if parent is None:
                return VerifyAnswer(may_apply=False, reason="its plan is gone")
            plan_json = ArtifactRef.model_validate(parent.artifacts["plan_json"])
        answer = settling.check_plan(run_id, plan_json, stage="apply")
        with unit_of_work() as session:
            checks = policy.checks_of(session, [run_id]).get(run_id, [])
            return ending.verify(session, run_id, token, answer.verdict, checked_bundles_digest(checks))

    def finish(self, run_id: str, token: int, outcome: ApplyOutcome) -> None:
        """Applied."""
        with unit_of_work() as session:
            ending.finish(session, run_id, token, outcome)

    def stale(self, run_id: str, token: int, reason: str) -> None:
        """Superseded before the engine started."""
        with unit_of_work() as session:
            ending.stale(session, run_id, token, reason)

    def fail(self, run_id: str, token: int, failure: Failure) -> None:
        """Errored."""
        with unit_of_work() as session:
            ending.fail(session, run_id, token, failure)

    def acknowledge(self, run_id: str, token: int, failure: Failure | None) -> None:
        """Cancelled."""
        with unit_of_work() as session:
            ending.acknowledge(session, run_id, token, failure)

    def evidence(self, run_id: str, token: int, kind: str, data: dict[str, JsonValue]) -> None:
        """Kept whatever the run's status, until it has quiesced."""
        with unit_of_work() as session:
            run = repository.by_id(session, run_id)
            if run is not None and run.quiesced_at is None:
                late: dict[str, JsonValue] = {"late": True} if token != run.fencing_token else {}
                note(session, run, kind, {**data, **late})

    def put_steps(self, run_id: str, token: int, steps: ApplySteps) -> None:
        """Keep what an apply that did not end well had begun, whatever the token. Raises ``LeaseLost`` for no run."""
        del token
        with unit_of_work() as session:
            run = repository.by_id(session, run_id)
            if run is None:
                raise LeaseLost(f"Run {run_id} is gone, and its workspace with it.")
            if run.status != Status.APPLIED:
                events.publish(session, ApplyStepsCame(run.organization_id, run.workspace_id, run_id, steps))

    def quiesce(self, run_id: str, token: int, proof: ProofOfDeath) -> None:
        """Proven dead."""
        with unit_of_work() as session:
            ending.quiesce(session, run_id, token, proof)

    def report_death(self, run_id: str, token: int, proof: ProofOfDeath) -> None:
        """The supervisor itself died; said by the worker that saw it."""
        with unit_of_work() as session:
            ending.report_death(session, run_id, token, proof)

    def _held_run(self, session: Session, run_id: str, token: int) -> TerraformRun:
        self._held(session, run_id, token)
        run = repository.by_id(session, run_id)
        assert run is not None, "a run goes with its workspace only, and that one not while it runs"
        return run

    def _held(self, session: Session, run_id: str, token: int, *, phase: str | None = None) -> repository.RunScope:
        """Return where the run belongs, if the lease is still the runner's; note its ``phase`` if one is given."""
        if phase is None:
            place = repository.held_place(session, run_id, token)
        else:
            place = repository.enter_phase(session, run_id, token, phase)
        if place is None:
            raise LeaseLost(f"The lease of {run_id} is no longer this runner's.")
        self._organizations[run_id] = place.organization_id
        return place


def _refuse_quiesced(run: TerraformRun) -> None:
    if run.quiesced_at is not None:
        raise LeaseLost(f"Run {run.id} had quiesced when this state came, so what it left is kept aside.")


def _refuse_beside_another_holder(session: Session, run: TerraformRun) -> None:
    held = state.held_lock(session, run.workspace_id)
    if held is not None and held.run_id != run.id:
        who = held.run_id or str(held.holder.get("name"))
        raise StateLocked(f"{who} holds the state lock by now, so what {run.id} left is kept aside.")


def _order(run: TerraformRun) -> StopOrder | None:
    if run.halted:
        return "halt"
    if run.cancel_requested_at is not None or Status(run.status) is Status.CANCELLED:
        return "cancel"
    return "lease_lost" if Status(run.status) is Status.ERRORED else None
