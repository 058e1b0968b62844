"""What the edges and the slices above may do with runs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.approvals.schemas import DecisionKind
from app.core import clock
from app.core.errors import Invalid
from app.core.idempotency import once
from app.core.jobs import send
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.runs import (
    claiming,
    deciding,
    estimating,
    halting,
    migrating,
    moving,
    overriding,
    presenting,
    queue_repository,
    queueing,
    repository,
    requesting,
)
from app.runs.applies import ApplyFacts, Recoverable, apply_facts, planned_view, recoverable
from app.runs.errors import RunNotFound
from app.runs.history_repository import (
    Ended,
    Lead,
    Waiting,
    ended_by_bucket,
    lead_times,
    runs_by_phase,
    waiting_by_age,
)
from app.runs.models import TerraformRun
from app.runs.policy_input import PastPlan, PlanInput, past_input, past_plans
from app.runs.queue_schemas import QueueLimitIn, QueueOut, WorkerOut
from app.runs.requesting import EXECUTE_TASK
from app.runs.schemas import (
    DecisionRequest,
    EstimateOut,
    MigrationRequest,
    OverrideRequest,
    RollbackRequest,
    RunListItem,
    RunLook,
    RunMark,
    RunOut,
    RunRequest,
)
from app.workspaces import service as workspaces

__all__ = [
    "ApplyFacts",
    "Ended",
    "Lead",
    "PastPlan",
    "PlanInput",
    "Recoverable",
    "Waiting",
    "apply_facts",
    "ended_by_bucket",
    "lead_times",
    "past_input",
    "past_plans",
    "planned_view",
    "recoverable",
    "runs_by_phase",
    "waiting_by_age",
]
RESEND_AFTER_SECONDS = 5
RINGS_AT_ONCE = 16
RING_SECONDS = 4.0
"""Busy workers leave rings where they are: what expires can't pile up in the broker."""


def request(session: Session, actor: Actor, wanted: RunRequest, key: str | None) -> dict[str, Any]:
    """Request a run, once per idempotency key; return it as JSON data.

    Raises ``Invalid`` for a speculative destroy, ``IdempotencyKeyReused``, and as ``requesting.request``.
    """
    if wanted.speculative and wanted.kind == "destroy":
        message = "applies to plan and refresh; a destroy is planned at the gate"
        raise Invalid.of_field("speculative", message)

    def act() -> BaseModel:
        run, workspace, version = requesting.request(session, actor, wanted)
        return presenting.detail_of_new(session, actor, run, workspace, version)

    return once(session, actor, key, ("request_run", wanted), act)


def request_rollback(
    session: Session, actor: Actor, workspace: str, wanted: RollbackRequest, key: str | None
) -> dict[str, Any]:
    """Request a rollback of a workspace's state, once per idempotency key; return the run as JSON data."""

    def act() -> BaseModel:
        run, found = moving.request_rollback(session, actor, workspace, wanted)
        return presenting.detail(session, actor, run, found)

    return once(session, actor, key, (f"rollback {workspace}", wanted), act)


def request_migration(
    session: Session, actor: Actor, workspace: str, wanted: MigrationRequest, key: str | None
) -> dict[str, Any]:
    """Request that a workspace's state moves to another backend, once per idempotency key; return the run as JSON."""

    def act() -> BaseModel:
        run, found = migrating.request_migration(session, actor, workspace, wanted)
        return presenting.detail(session, actor, run, found)

    return once(session, actor, key, (f"migrate {workspace}", wanted), act)


def get(session: Session, actor: Actor, run_id: str) -> RunOut:
    """Return one run in full. Raises ``RunNotFound``."""
    return presenting.detail(session, actor, _get(session, actor, run_id))


def page(
    session: Session,
    actor: Actor,
    params: PageParams,
    *,
    workspace: str | None = None,
    statuses: Sequence[str] = (),
    kinds: Sequence[str] = (),
) -> Page[RunListItem]:
    """Return one page of runs, newest first."""
    workspace_id = workspaces.get(session, actor.organization_id, workspace).id if workspace is not None else None
    rows, cursor = repository.page(
        session, actor.organization_id, params, workspace_id=workspace_id, statuses=statuses, kinds=kinds
    )
    return Page(items=presenting.list_items(session, rows), next_cursor=cursor)


def plan_view(session: Session, actor: Actor, run_id: str) -> bytes:
    """Return the plan that people see, sensitive values replaced, as JSON. Raises ``RunNotFound``."""
    return presenting.plan_view(session, actor, run_id)


def estimate(session: Session, actor: Actor, run_id: str) -> EstimateOut:
    """Return what the apply of a plan is likely to take. Raises ``RunNotFound`` and ``PlanRemoved``."""
    return estimating.of_run(session, actor, run_id)


def approve(session: Session, actor: Actor, run_id: str, wanted: DecisionRequest) -> RunOut:
    """Approve exactly this plan."""
    run = deciding.approve(session, actor, run_id, comment=wanted.comment, signed=wanted.fingerprint)
    return presenting.detail(session, actor, run)


def disapprove(session: Session, actor: Actor, run_id: str, decision: DecisionKind, wanted: DecisionRequest) -> RunOut:
    """Reject a plan, or revoke one's approval of it."""
    run = deciding.disapprove(
        session, actor, run_id, decision=decision, comment=wanted.comment, signed=wanted.fingerprint
    )
    return presenting.detail(session, actor, run)


def override(session: Session, actor: Actor, run_id: str, wanted: OverrideRequest) -> RunOut:
    """Override the soft-mandatory policies that block a plan."""
    run = overriding.override(
        session,
        actor,
        run_id,
        reason=wanted.reason.strip(),
        expires_in_seconds=wanted.expires_in_seconds,
        signed=wanted.fingerprint,
    )
    return presenting.detail(session, actor, run)


def discard(session: Session, actor: Actor, run_id: str, reason: str) -> RunOut:
    """Drop a plan at the gate."""
    return presenting.detail(session, actor, deciding.discard(session, actor, run_id, reason=reason))


def apply(session: Session, actor: Actor, run_id: str) -> RunOut:
    """Return the apply of an approved plan; idempotent."""
    return presenting.detail(session, actor, deciding.apply(session, actor, run_id))


def cancel(session: Session, actor: Actor, run_id: str, reason: str) -> RunOut:
    """Cancel a queued or running run."""
    return presenting.detail(session, actor, deciding.cancel(session, actor, run_id, reason=reason))


def latest_of_workspaces(session: Session, workspace_ids: Sequence[str]) -> dict[str, RunListItem]:
    """Return each workspace's newest run that plans, speculative ones aside."""
    rows = repository.latest_of_workspaces(session, workspace_ids)
    return {item.workspace.id: item for item in presenting.list_items(session, rows)}


def workspaces_by_latest_status(session: Session, organization_id: str, statuses: Sequence[str]) -> list[str]:
    """Return the workspaces whose newest run that plans is in one of ``statuses``."""
    return list(repository.workspaces_by_latest_status(session, organization_id, statuses))


def items_of(session: Session, actor: Actor, run_ids: Sequence[str]) -> list[RunListItem]:
    """Return the runs of these ids that are the actor's organization's."""
    return presenting.list_items(session, repository.of_ids(session, actor.organization_id, run_ids))


def waiting(session: Session, actor: Actor, *, limit: int) -> list[RunListItem]:
    """Return the runs that await approval or are blocked by policy, newest first."""
    return presenting.list_items(session, repository.newest_waiting(session, actor.organization_id, limit))


def failed_heads(session: Session, actor: Actor, *, limit: int) -> list[RunListItem]:
    """Return runs that errored or were halted and are still their workspace's newest, newest first."""
    return presenting.list_items(session, repository.newest_failed(session, actor.organization_id, limit))


def may_decide(session: Session, actor: Actor, run_ids: Sequence[str]) -> dict[str, str | None]:
    """Return by run id why the actor's decision would not count; None where it would."""
    return presenting.why_nots(session, actor, repository.of_ids(session, actor.organization_id, run_ids))


def mark_halted(
    session: Session, actor: Actor, *, halt_id: str, organization_id: str | None, workspace_id: str | None, reason: str
) -> dict[str, int]:
    """Cancel every live run in a halt's scope, in the transaction that raised the fence; count them by organization."""
    return halting.mark_halted(
        session, actor, halt_id=halt_id, organization_id=organization_id, workspace_id=workspace_id, reason=reason
    )


def marks_of_halts(session: Session, halt_ids: Sequence[str]) -> list[RunMark]:
    """Return what halts marked, and how far each run's death is proven."""
    return halting.marks_of(session, halt_ids)


def look(session: Session, run_id: str) -> RunLook | None:
    """Return where a run is now; None when it is gone."""
    return halting.look(session, run_id)


def live_in_workspace(session: Session, organization_id: str, workspace_id: str) -> int:
    """Return how many runs of a workspace are not over."""
    return halting.live_in_workspace(session, organization_id, workspace_id)


def counts_by_status(session: Session, organization_id: str) -> dict[str, int]:
    """Return how many runs are in each status that is not final, and how many ended in the last day."""
    return repository.counts_by_status(session, organization_id, clock.now() - timedelta(days=1))


def oldest_queued_seconds(session: Session, organization_id: str) -> float | None:
    """Return for how long the oldest queued run has waited; None when none is queued."""
    oldest = repository.oldest_queued(session, organization_id)
    return (clock.now() - oldest).total_seconds() if oldest is not None else None


def queue(session: Session, actor: Actor) -> QueueOut:
    """Return how the organization's queue stands."""
    return queueing.queue(session, actor)


def set_queue_limit(session: Session, actor: Actor, wanted: QueueLimitIn) -> QueueOut:
    """Change how many runs the organization executes at once."""
    return queueing.set_limit(session, actor, wanted)


def workers(session: Session, actor: Actor) -> Page[WorkerOut]:
    """Return the installation's workers."""
    return queueing.workers(session, actor)


def dispatch(session: Session, workspace_id: str) -> None:
    """Send the job of the run that is in turn in the workspace."""
    claiming.dispatch(session, workspace_id)


def resend_unsent(session: Session) -> int:
    """Ring again for what was lost between commit and broker; return for how many runs.

    A few rings do, since whoever hears one goes on until nothing may start; those that nobody hears in time expire.
    """
    before = clock.now() - timedelta(seconds=RESEND_AFTER_SECONDS)
    waiting = queue_repository.in_line(
        session, get_settings().organization_concurrency, queued_before=before, limit=RINGS_AT_ONCE
    )
    return sum(send(EXECUTE_TASK, run_id, queue="terraform", expires_seconds=RING_SECONDS) for run_id in waiting)


def _get(session: Session, actor: Actor, run_id: str) -> TerraformRun:
    run = repository.get(session, actor.organization_id, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run
