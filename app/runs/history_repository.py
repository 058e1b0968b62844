"""Queries of what became of runs over time: each a pass over one organization's runs, however many buckets."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Interval, Label, func, literal, select
from sqlalchemy.orm import Session

from app.runs.machine import Kind, Status
from app.runs.models import TerraformRun


class Ended(NamedTuple):
    """How many runs ended in one bucket with one status."""

    start: datetime
    status: str
    runs: int


class Lead(NamedTuple):
    """How long the applied runs of one bucket took, from request to state."""

    start: datetime
    p50_seconds: float
    p90_seconds: float


class Waiting(NamedTuple):
    """A plan that awaits approval: since when, and where."""

    since: datetime
    workspace_id: str
    run_id: str


def _bucket(since: datetime, width: timedelta) -> Label[datetime]:
    return func.date_bin(literal(width, Interval()), TerraformRun.finished_at, since).label("start")


def _ended(organization_id: str, since: datetime) -> list[ColumnElement[bool]]:
    # An apply is part of the run whose plan it applies.
    return [
        TerraformRun.organization_id == organization_id,
        TerraformRun.finished_at >= since,
        TerraformRun.kind != Kind.APPLY,
    ]


def ended_by_bucket(session: Session, organization_id: str, since: datetime, width: timedelta) -> list[Ended]:
    """Return how many runs ended since ``since``, by bucket of ``width`` and status."""
    start = _bucket(since, width)
    rows = session.execute(
        select(start, TerraformRun.status, func.count())
        .where(*_ended(organization_id, since))
        .group_by(start, TerraformRun.status)
    )
    return [Ended(*row) for row in rows]


def lead_times(session: Session, organization_id: str, since: datetime, width: timedelta) -> list[Lead]:
    """Return the percentiles of the time from request to state of runs that were applied, by bucket."""
    start = _bucket(since, width)
    took = func.extract("epoch", TerraformRun.finished_at - TerraformRun.created_at)
    rows = session.execute(
        select(
            start,
            func.percentile_cont(0.5).within_group(took),
            func.percentile_cont(0.9).within_group(took),
        )
        .where(*_ended(organization_id, since), TerraformRun.status == Status.APPLIED)
        .group_by(start)
    )
    return [Lead(*row) for row in rows]


def awaiting_approval(session: Session, organization_id: str, limit: int) -> Sequence[Waiting]:
    """Return what awaits approval, the longest first; at most ``limit``."""
    since = func.coalesce(TerraformRun.planned_at, TerraformRun.created_at)
    rows = session.execute(
        select(since, TerraformRun.workspace_id, TerraformRun.id)
        .where(TerraformRun.organization_id == organization_id, TerraformRun.status == Status.AWAITING_APPROVAL)
        .order_by(since, TerraformRun.id)
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


def runs_by_phase(session: Session, organization_id: str) -> dict[str, int]:
    """Return how many runs are in each phase of their work."""
    phase = func.coalesce(TerraformRun.phase, "preparing").label("phase")
    rows = session.execute(
        select(phase, func.count())
        .where(TerraformRun.organization_id == organization_id, TerraformRun.status == Status.RUNNING)
        .group_by(phase)
    ).all()
    return dict(rows)
