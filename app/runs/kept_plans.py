"""Runs whose plan is still there to be read."""

from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.runs import repository
from app.runs.errors import PlanRemoved, RunNotFound
from app.runs.models import TerraformRun


def run_with(session: Session, organization_id: str, run_id: str, artifact: str) -> TerraformRun:
    """Return the run, of an apply the one whose plan it applies, whose ``artifact`` of the plan is kept.

    Raises ``RunNotFound``, also while there is no plan yet, and ``PlanRemoved`` when the run is too old.
    """
    run = repository.get(session, organization_id, run_id)
    if run is not None and run.parent_run_id is not None:
        run = repository.get(session, organization_id, run.parent_run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    if artifact not in run.artifacts:
        raise RunNotFound(f"Run {run_id} has no plan (yet).")
    if run.artifacts_removed_at is not None:
        raise PlanRemoved(
            f"The plan of {run.id} was removed at {run.artifacts_removed_at:%Y-%m-%d}, after "
            f"{get_settings().run_artifacts_days} days (SLUICE_RUN_ARTIFACTS_DAYS). The run, its decisions and its "
            "digests are kept."
        )
    return run
