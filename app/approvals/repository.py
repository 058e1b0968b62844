"""Queries of decisions."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.approvals.models import TerraformApproval


def of_runs(session: Session, run_ids: Iterable[str]) -> Sequence[TerraformApproval]:
    """Return the decisions on these runs, oldest first."""
    return session.scalars(
        select(TerraformApproval)
        .where(TerraformApproval.run_id.in_(set(run_ids)))
        .order_by(TerraformApproval.run_id, TerraformApproval.created_at, TerraformApproval.id)
        .execution_options(populate_existing=True)
    ).all()


def add(session: Session, row: TerraformApproval) -> None:
    """Add a decision."""
    session.add(row)
    session.flush()


def void_approvals(session: Session, run_id: str, reason: str, voided_at: datetime) -> Sequence[tuple[str, str]]:
    """Void every approval of a run that stands; return the id and organization of each.

    Of two at once the second waits for the first's row locks and then finds nothing left to void.
    """
    rows = session.execute(
        update(TerraformApproval)
        .where(
            TerraformApproval.run_id == run_id,
            TerraformApproval.decision == "approve",
            TerraformApproval.voided_at.is_(None),
        )
        .values(voided_at=voided_at, void_reason=reason)
        .returning(TerraformApproval.id, TerraformApproval.organization_id)
        .execution_options(synchronize_session=False)
    )
    return [(row.id, row.organization_id) for row in rows]
