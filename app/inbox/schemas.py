"""The inbox."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.runs.schemas import RunListItem
from app.state.schemas import LockOut

GroupName = Literal["awaiting_approval", "policy_blocked", "failed", "orphaned_locks", "unknown_resources"]


class InboxItem(BaseModel):
    """One thing that waits for a person: a run, or what its dead apply left (its lock, resources that no state knows).

    Of those the run is the apply.
    """

    run: RunListItem
    lock: LockOut | None = None
    resources: int = Field(0, description="Open items of the run's recovery list")
    for_you: bool = Field(description="You can act on it: your approval counts, or your role may release or plan again")
    why: str = Field(description="Why it waits, in words")
    since: datetime


class InboxGroup(BaseModel):
    """Things that wait for the same."""

    name: GroupName
    count: int
    items: list[InboxItem]


class Inbox(BaseModel):
    """What waits, sorted by what a person must do."""

    groups: list[InboxGroup]
    for_you: int
    total: int
    in_progress: int = Field(description="Runs that are queued or running now")
