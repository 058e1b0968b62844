"""What runs tells notifications: a run that people know has come to a status that somebody waits for.

Of an apply its plan's run tells, which ends with it. Speculative runs tell nobody, nor does what a halt stops: of a
halt one notification tells.
"""

from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.notifications import service as notifications
from app.notifications.schemas import RunNews
from app.runs.machine import Kind, Status, Trigger
from app.runs.models import TerraformRun


def run_url(run: TerraformRun) -> str:
    """Return the page of a run; of an apply its plan's."""
    return f"{get_settings().url}/infra/terraform/runs/{run.parent_run_id or run.id}"


def tell(session: Session, run: TerraformRun, trigger: Trigger, before: Status, reason: str | None) -> None:
    """Tell of a run whose status was ``before``, in the transaction that moved it."""
    if run.kind == Kind.APPLY or run.is_speculative or trigger is Trigger.HALT or run.status == before:
        return
    notifications.run_moved(
        session,
        RunNews(
            organization_id=run.organization_id,
            workspace_id=run.workspace_id,
            run_id=run.id,
            kind=run.kind,
            status=run.status,
            reason=reason,
            message=run.message,
            requested_by=str(run.requested_by.get("name", "")),
            has_changes=run.has_changes,
            counts=run.counts,
            url=run_url(run),
        ),
    )
