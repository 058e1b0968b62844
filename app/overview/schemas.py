"""Read models over several slices."""

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

    runs_by_status: dict[str, int] = Field(description="Live runs, and those that ended within a day, by status")
    queue_depth: int
    oldest_queued_seconds: float | None
    running: int
    workspaces: int
    open_recovery_items: int = Field(description="Resources that may exist, and no state knows")
    engine: str | None = Field(description="Engine that a run without a wish of its own would use here")
