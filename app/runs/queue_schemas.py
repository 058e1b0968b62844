"""The queue as people and programs see it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.runs.machine import Kind, Status
from app.state.schemas import LockOut

WaitCode = Literal[
    "halted", "workspace_locked", "workspace_busy", "organization_limit", "no_worker", "workers_busy", "starting"
]


class WaitsFor(BaseModel):
    """The run that holds the workspace, or that goes first there."""

    id: str
    kind: Kind
    status: Status


class QueuePlace(BaseModel):
    """Where a queued run stands, and why it waits."""

    position: int = Field(1, description="1 goes next")
    ahead: int = Field(0, description="Queued runs that go before it")
    line: Literal["workspace", "organization"] = Field(
        description="Whose queue `position` counts in: the workspace's while something there keeps it, else that of "
        "the organization's runs that may start"
    )
    code: WaitCode = Field(description="The first thing that keeps it from starting")
    reason: str = Field(description="The same in words")
    waits_for: WaitsFor | None = Field(None, description="With `workspace_busy`: the run that holds the workspace")
    lock: LockOut | None = Field(None, description="With `workspace_locked`: who holds the state lock")


class WorkersShort(BaseModel):
    """What the workers that were heard of can do, over all organizations."""

    count: int
    permits: int = Field(description="Runs that they execute at once")
    busy: int = Field(description="Runs that they execute now")


class QueueOut(BaseModel):
    """How an organization's queue stands."""

    queued: int
    executing: int = Field(description="Runs that were claimed and have not quiesced, speculative ones too")
    limit: int | None = Field(description="Runs that execute at once at most; null for any number")
    concurrency: int | None = Field(description="The organization's own limit; null: the default, 0: none")
    default_concurrency: int = Field(description="Of organizations without a limit of their own; 0: none")
    workers: WorkersShort


class QueueLimitIn(BaseModel):
    """How many runs the organization executes at once."""

    model_config = ConfigDict(extra="forbid")

    concurrency: int | None = Field(ge=0, le=100_000, description="null: the installation's default, 0: no limit")


class WorkerOut(BaseModel):
    """A worker that was heard of."""

    name: str
    host: str | None = Field(description="Where it runs; told to the organization that operates the installation")
    pid: int | None = Field(description="Its process, likewise")
    permits: int = Field(description="Runs that it executes at once; 0: it serves other queues")
    busy: int = Field(description="Runs that it executes")
    started_at: datetime
    seen_at: datetime
    is_alive: bool = Field(description="Heard of within the last seconds")
