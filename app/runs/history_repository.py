"""Queries of what became of runs over time: each a pass over one organization's runs, however many buckets."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ARRAY, ColumnElement, Interval, Label, Numeric, cast, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
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
    """How many plans await approval in one band of ages, and the one that waits longest: what, and where."""

    plans: int
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


def waiting_by_age(session: Session, organization_id: str, at: datetime, edges: Sequence[int]) -> dict[int, Waiting]:
    """Return what awaits approval at ``at``, by how many of the ``edges`` (seconds, rising) it has waited for."""
    since = func.coalesce(TerraformRun.planned_at, TerraformRun.created_at)
    age = func.extract("epoch", literal(at) - since)
    aged = (
        select(
            func.width_bucket(age, cast(list(edges), ARRAY(Numeric))).label("band"),
            since.label("since"),
            TerraformRun.workspace_id,
            TerraformRun.id,
        )
        .where(TerraformRun.organization_id == organization_id, TerraformRun.status == Status.AWAITING_APPROVAL)
        .subquery()
    )
    rows = session.execute(
        select(aged.c.band, func.count().over(partition_by=aged.c.band), aged.c.workspace_id, aged.c.id)
        .ext(distinct_on(aged.c.band))
        .order_by(aged.c.band, aged.c.since, aged.c.id)
    )
    return {band: Waiting(*found) for band, *found in rows}


def runs_by_phase(session: Session, organization_id: str) -> dict[str, int]:
    """Return how many runs are in each phase of their work."""
    phase = func.coalesce(TerraformRun.phase, "preparing").label("phase")
    rows = session.execute(
        select(phase, func.count())
        .where(TerraformRun.organization_id == organization_id, TerraformRun.status == Status.RUNNING)
        .group_by(phase)
    ).all()
    return dict(rows)
