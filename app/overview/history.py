"""What became of runs over time: outcomes and lead times by bucket, and how long plans have awaited approval."""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.core import clock
from app.core.permissions import Actor
from app.overview.schemas import HistoryBucket, OverviewHistory, WaitingBand, Window
from app.runs import service as runs
from app.workspaces import service as workspaces

MOST_WAITING = 1000
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_WIDTHS: dict[Window, tuple[timedelta, int]] = {"24h": (_HOUR, 24), "14d": (_DAY, 14), "90d": (_DAY, 90)}
_BANDS: tuple[tuple[int, int | None], ...] = (
    (0, 15 * 60),
    (15 * 60, 3600),
    (3600, 4 * 3600),
    (4 * 3600, 24 * 3600),
    (24 * 3600, None),
)
"""Seconds that a plan has waited: from, and below what."""


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
    found = runs.awaiting_approval(session, actor.organization_id, MOST_WAITING)
    now = clock.now()
    ages = [(now - plan.since).total_seconds() for plan in found]
    inside = [
        [plan for plan, age in zip(found, ages, strict=True) if low <= max(0.0, age) and (high is None or age < high)]
        for low, high in _BANDS
    ]
    named = workspaces.get_many(session, sorted({plans[0].workspace_id for plans in inside if plans}))
    return [
        WaitingBand(
            from_seconds=low,
            to_seconds=high,
            plans=len(plans),
            run_id=plans[0].run_id if plans else None,
            workspace_name=named[plans[0].workspace_id].name if plans else None,
        )
        for (low, high), plans in zip(_BANDS, inside, strict=True)
    ]
