"""The inbox."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.runs.schemas import RunListItem
from app.state.schemas import LockOut

GroupName = Literal["awaiting_approval", "policy_blocked", "failed", "orphaned_locks"]


class InboxItem(BaseModel):
    """One thing that waits for a person: a run, or a lock whose holder is dead (then with the run that held it)."""

    run: RunListItem
    lock: LockOut | None = None
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
