"""What became of runs over time: outcomes and lead times by bucket, and how long plans have awaited approval."""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.core import clock
from app.core.permissions import Actor
from app.overview.schemas import HistoryBucket, OverviewHistory, WaitingBand, Window
from app.runs import service as runs
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_WIDTHS: dict[Window, tuple[timedelta, int]] = {"24h": (_HOUR, 24), "14d": (_DAY, 14), "90d": (_DAY, 90)}
_EDGES = (15 * 60, 3600, 4 * 3600, 24 * 3600)
"""Seconds that part one band of waiting plans from the next."""


def history(session: Session, actor: Actor, window: Window) -> OverviewHistory:
    """Return the figures of one window: as many queries, whatever the window holds."""
    width, count = _WIDTHS[window]
    since = _begin(clock.now(), width) - (count - 1) * width
    outcomes: dict[datetime, dict[str, int]] = defaultdict(dict)
    for found in runs.ended_by_bucket(session, actor.organization_id, since, width):
        outcomes[found.start][found.status] = found.runs
    leads = {lead.start: lead for lead in runs.lead_times(session, actor.organization_id, since, width)}
    starts = [since + n * width for n in range(count)]
    return OverviewHistory(
        window=window,
        bucket_seconds=int(width.total_seconds()),
        buckets=[
            HistoryBucket(
                start=start,
                outcomes=outcomes.get(start, {}),
                lead_p50_seconds=round(leads[start].p50_seconds, 3) if start in leads else None,
                lead_p90_seconds=round(leads[start].p90_seconds, 3) if start in leads else None,
            )
            for start in starts
        ],
        waiting=_bands(session, actor),
    )


def _begin(at: datetime, width: timedelta) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if width == _HOUR else hour.replace(hour=0)


def _bands(session: Session, actor: Actor) -> list[WaitingBand]:
    found = runs.waiting_by_age(session, actor.organization_id, clock.now(), _EDGES)
    named = workspaces.get_many(session, sorted({longest.workspace_id for longest in found.values()}))
    return [
        _band(low, high, found.get(number), named)
        for number, (low, high) in enumerate(zip((0, *_EDGES), (*_EDGES, None), strict=True))
    ]


def _band(low: int, high: int | None, found: runs.Waiting | None, named: dict[str, WorkspaceOut]) -> WaitingBand:
    if found is None:
        return WaitingBand(from_seconds=low, to_seconds=high, plans=0, run_id=None, workspace_name=None)
    return WaitingBand(
        from_seconds=low,
        to_seconds=high,
        plans=found.plans,
        run_id=found.run_id,
        workspace_name=named[found.workspace_id].name,
    )
