"""Queries of overrides."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.approvals.models import TerraformOverride


def of_runs(session: Session, run_ids: Iterable[str]) -> Sequence[TerraformOverride]:
    """Return the overrides of these runs, oldest first."""
    return session.scalars(
        select(TerraformOverride)
        .where(TerraformOverride.run_id.in_(set(run_ids)))
        .order_by(TerraformOverride.run_id, TerraformOverride.id)
        .execution_options(populate_existing=True)
    ).all()


def add(session: Session, row: TerraformOverride) -> None:
    """Add an override. The partial unique index lets one stand a run; the run's row lock keeps others out before."""
    session.add(row)
    session.flush()


def standing(session: Session, run_id: str) -> TerraformOverride | None:
    """Return the run's override that was not ended, expired or not."""
    return session.scalars(
        select(TerraformOverride)
        .where(TerraformOverride.run_id == run_id, TerraformOverride.ended_at.is_(None))
        .execution_options(populate_existing=True)
    ).one_or_none()


def end(session: Session, run_id: str, reason: str, ended_at: datetime) -> tuple[str, str] | None:
    """End the override that stands; return its id and organization. Of two at once the second finds none: None."""
    row = session.execute(
        update(TerraformOverride)
        .where(TerraformOverride.run_id == run_id, TerraformOverride.ended_at.is_(None))
        .values(ended_at=ended_at, end_reason=reason)
        .returning(TerraformOverride.id, TerraformOverride.organization_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return (row.id, row.organization_id) if row is not None else None


def due(session: Session, at: datetime) -> Sequence[str]:
    """Return the runs whose override was not ended and has expired, in run order."""
    return session.scalars(
        select(TerraformOverride.run_id)
        .where(TerraformOverride.ended_at.is_(None), TerraformOverride.expires_at <= at)
        .order_by(TerraformOverride.run_id)
    ).all()
