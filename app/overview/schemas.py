"""Read models over several slices."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.runs.schemas import RunListItem
from app.state.schemas import LockOut
from app.workspaces.schemas import WorkspaceOut


class WorkspaceRow(WorkspaceOut):
    """A workspace in the list: with its newest run, its state, and its lock."""

    latest_run: RunListItem | None
    resource_count: int
    state_serial: int | None
    lock: LockOut | None
    open_recovery_items: int = Field(description="Resources that may exist, and no state knows")
    is_behind: bool = Field(description="Pinned to a version that is not the stack's latest")


class Overview(BaseModel):
    """The installation at a glance, for one organization."""

    runs_by_status: dict[str, int] = Field(
        description="Live runs, and those that ended within a day, by status; an ended apply counts with its run"
    )
    runs_by_phase: dict[str, int] = Field(description="Runs at work, by phase")
    queue_depth: int
    oldest_queued_seconds: float | None
    running: int
    workspaces: int
    open_recovery_items: int = Field(description="Resources that may exist, and no state knows")
    engine: str | None = Field(description="Engine that a run without a wish of its own would use here")


Window = Literal["24h", "14d", "90d"]


class HistoryBucket(BaseModel):
    """What ended in an hour, or a day in UTC. The times are of applied runs, from request to state."""

    start: datetime
    outcomes: dict[str, int] = Field(description="Runs that ended, by status; an apply counts with its plan")
    lead_p50_seconds: float | None
    lead_p90_seconds: float | None


class WaitingBand(BaseModel):
    """Plans that have awaited approval for as long, with the one that waits longest."""

    from_seconds: int
    to_seconds: int | None
    plans: int
    run_id: str | None
    workspace_name: str | None


class OverviewHistory(BaseModel):
    """What became of an organization's runs in a window, and how long its plans have awaited approval."""

    window: Window
    bucket_seconds: int
    buckets: list[HistoryBucket] = Field(description="Oldest first, the present one last; empty ones too")
    waiting: list[WaitingBand]
