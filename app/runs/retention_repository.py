"""Queries of retention."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from app.runs.machine import Status
from app.runs.models import AT_WORK, TerraformRun


def due(session: Session, before: datetime, after: str, limit: int) -> Sequence[str]:
    """Return runs that ended before ``before``, have quiesced and still have plan or log, in id order behind ``after``.

    What a workspace's present state was made from is left out.
    """
    return session.scalars(
        select(TerraformRun.id).where(_is_due(before), TerraformRun.id > after).order_by(TerraformRun.id).limit(limit)
    ).all()


def lock_due(session: Session, run_id: str, before: datetime) -> TerraformRun | None:
    """Lock the run, and return it if it is still due.

    Of two that race the second gets None, and so does everybody while somebody else changes the run.
    """
    return session.scalars(
        select(TerraformRun)
        .where(TerraformRun.id == run_id, _is_due(before))
        .with_for_update(of=TerraformRun, skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _is_due(before: datetime) -> ColumnElement[bool]:
    return and_(
        TerraformRun.finished_at < before,
        TerraformRun.artifacts_removed_at.is_(None),
        not_(AT_WORK),
        func.coalesce(TerraformRun.parent_run_id, TerraformRun.id).is_distinct_from(_latest_applied()),
    )


def _latest_applied() -> ColumnElement[str | None]:
    """Return the id of the run, of whatever kind, whose plan the present state of the run's workspace was made from.

    An apply is newer than its plan, so applies are in the order in which they were made, and name their plans.
    """
    newest = aliased(TerraformRun)
    return (
        select(func.coalesce(newest.parent_run_id, newest.id))
        .where(newest.workspace_id == TerraformRun.workspace_id, newest.status == Status.APPLIED)
        .order_by(newest.id.desc())
        .limit(1)
        .correlate(TerraformRun)
        .scalar_subquery()
    )


def configurations_in_use(session: Session, configuration_ids: Sequence[str], before: datetime) -> set[str]:
    """Return which of these configurations a run needs that lives, ended after ``before``, or is kept."""
    return set(
        session.scalars(
            select(TerraformRun.configuration_id)
            .where(TerraformRun.configuration_id.in_(configuration_ids), not_(_is_removable(before)))
            .distinct()
        )
    )


def _is_removable(before: datetime) -> ColumnElement[bool]:
    ended = func.coalesce(TerraformRun.finished_at < before, False)
    return or_(TerraformRun.artifacts_removed_at.is_not(None), and_(ended, _is_due(before)))


def owners(session: Session, run_ids: Sequence[str]) -> dict[str, TerraformRun]:
    """Return the runs of these ids, whatever their organization, by id."""
    return {run.id: run for run in session.scalars(select(TerraformRun).where(TerraformRun.id.in_(run_ids)))}
