"""What the recovery of a dead apply asks of runs."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.core.artifacts import ArtifactRef, artifact_store
from app.runs import repository
from app.runs.errors import RunNotFound
from app.runs.machine import MOVES, Kind, Status

VERIFIED = "verified"


class ApplyFacts(BaseModel):
    """An apply, for who finds out what it left.

    ``may_have_begun``: its engine may have been let at the resources. ``is_kept``: retention has left its plan and log.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    plan_run_id: str
    organization_id: str
    workspace_id: str
    is_over: bool
    was_applied: bool
    may_have_begun: bool
    is_kept: bool


def apply_facts(session: Session, run_id: str) -> ApplyFacts | None:
    """Return what is known of an apply; None when it is gone, or no apply.

    A run that moves a state makes no resource, so it has begun nothing.
    """
    run = repository.by_id(session, run_id)
    parent = repository.by_id(session, run.parent_run_id) if run is not None and run.parent_run_id else None
    if run is None or parent is None:
        return None
    was_verified = any(found.kind == VERIFIED for found in repository.evidence_of(session, run_id))
    return ApplyFacts(
        run_id=run.id,
        plan_run_id=parent.id,
        organization_id=run.organization_id,
        workspace_id=run.workspace_id,
        is_over=run.is_over,
        was_applied=run.status == Status.APPLIED,
        may_have_begun=was_verified and Kind(parent.kind) not in MOVES,
        is_kept=run.artifacts_removed_at is None and parent.artifacts_removed_at is None,
    )


def planned_view(session: Session, plan_run_id: str) -> bytes:
    """Return the stored view of a plan, sensitive values replaced, as JSON. Raises ``RunNotFound``."""
    run = repository.by_id(session, plan_run_id)
    if run is None or "plan_view" not in run.artifacts:
        raise RunNotFound(f"Run {plan_run_id} has no plan.")
    return artifact_store().get(ArtifactRef.model_validate(run.artifacts["plan_view"]))


class Recoverable(BaseModel):
    """Which run a recovery list is of, and whether anything may still come."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    workspace_id: str
    is_over: bool


def recoverable(session: Session, organization_id: str, run_id: str) -> Recoverable:
    """Return the run's apply, or the run itself where it is one or has none. Raises ``RunNotFound``."""
    run = repository.get(session, organization_id, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    apply = run if run.kind == Kind.APPLY else repository.child_of(session, run.id) or run
    return Recoverable(run_id=apply.id, workspace_id=apply.workspace_id, is_over=apply.is_over)
