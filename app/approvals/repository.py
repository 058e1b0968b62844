"""Queries of decisions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
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


def with_approvals_before(session: Session, validity: Mapping[str, int], at: datetime) -> Sequence[str]:
    """Return the runs with an approval that stands and is older at ``at`` than the run's number of seconds."""
    by_seconds: dict[int, list[str]] = {}
    for run_id, seconds in validity.items():
        by_seconds.setdefault(seconds, []).append(run_id)
    is_too_old = [
        and_(TerraformApproval.run_id.in_(run_ids), TerraformApproval.created_at <= at - timedelta(seconds=seconds))
        for seconds, run_ids in by_seconds.items()
    ]
    stands = and_(TerraformApproval.decision == "approve", TerraformApproval.voided_at.is_(None))
    return session.scalars(
        select(TerraformApproval.run_id).where(stands, or_(*is_too_old)).distinct().order_by(TerraformApproval.run_id)
    ).all()


def void_approvals(
    session: Session, run_id: str, reason: str, voided_at: datetime, *, before: datetime | None = None
) -> Sequence[tuple[str, str]]:
    """Void every approval of a run that stands (made at ``before`` or earlier); return the id and organization of each.

    Of two at once the second waits for the first's row locks and then finds nothing left to void.
    """
    rows = session.execute(
        update(TerraformApproval)
        .where(
            TerraformApproval.run_id == run_id,
            TerraformApproval.decision == "approve",
            TerraformApproval.voided_at.is_(None),
            *([TerraformApproval.created_at <= before] if before is not None else []),
        )
        .values(voided_at=voided_at, void_reason=reason)
        .returning(TerraformApproval.id, TerraformApproval.organization_id)
        .execution_options(synchronize_session=False)
    )
    return [(row.id, row.organization_id) for row in rows]
