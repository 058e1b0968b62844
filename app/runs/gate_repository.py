"""Queries of plans at the gate whose time may be over."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.runs.machine import Status
from app.runs.models import TerraformRun


def too_old(session: Session, ages: Sequence[tuple[str, int]], at: datetime) -> Sequence[str]:
    """Return the runs at the gate that are older than their workspace's maximum, given (workspace id, seconds)."""
    conditions = [
        and_(
            TerraformRun.workspace_id == workspace_id,
            TerraformRun.planned_at < func.to_timestamp(at.timestamp() - seconds),
        )
        for workspace_id, seconds in ages
    ]
    if not conditions:
        return []
    waiting = TerraformRun.status.in_([Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED])
    return session.scalars(select(TerraformRun.id).where(waiting, or_(*conditions))).all()


def undecided_in(session: Session, workspace_ids: Collection[str]) -> Sequence[tuple[str, str]]:
    """Return (run id, workspace id) of plans at the gate here, approved ones only while their apply is queued."""
    child = aliased(TerraformRun)
    is_queued = exists().where(child.parent_run_id == TerraformRun.id, child.status == Status.QUEUED)
    waits = TerraformRun.status.in_([Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED])
    rows = session.execute(
        select(TerraformRun.id, TerraformRun.workspace_id)
        .where(
            TerraformRun.workspace_id.in_(workspace_ids),
            or_(waits, and_(TerraformRun.status == Status.APPROVED, is_queued)),
        )
        .order_by(TerraformRun.workspace_id, TerraformRun.id)
    ).all()
    return [(run_id, workspace_id) for run_id, workspace_id in rows]
