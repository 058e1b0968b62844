"""The queue as people and programs see it."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.runs.words import Kind, Status
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
    concurrency: int = Field(description="Runs that they may execute at once")
    busy: int = Field(description="Runs that they execute now")


class QueueOut(BaseModel):
    """How an organization's queue stands."""

    queued: int
    executing: int = Field(description="Runs that were claimed and have not quiesced, speculative ones too")
    effective_limit: int | None = Field(description="Runs that execute at once at most; null: no limit")
    is_default: bool = Field(
        description="Whether `default_limit` holds, since the organization has said none of its own"
    )
    own_limit: int | None = Field(description="What the organization has said; null: no limit, or `is_default`")
    default_limit: int | None = Field(description="The installation's, for who has said none; null: no limit")
    workers: WorkersShort


class QueueLimitIn(BaseModel):
    """How many runs the organization executes at once: `own_limit`, or `is_default`."""

    model_config = ConfigDict(extra="forbid")

    own_limit: int | None = Field(None, ge=1, le=100_000, description="null: no limit")
    is_default: bool = Field(False, description="Take the installation's default instead")

    @field_validator("own_limit", mode="before")
    @classmethod
    def _own_limit(cls, value: object) -> object:
        if isinstance(value, int) and value < 1:
            message = "must be above 0; null is no limit, and `is_default: true` takes the installation's default"
            raise PydanticCustomError("refused", "{reason}", {"reason": message})
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.is_default and self.own_limit is not None:
            message = "own_limit and is_default exclude each other: give one of them"
        elif not self.is_default and "own_limit" not in self.model_fields_set:
            message = "give own_limit (a number of runs, or null for no limit), or `is_default: true`"
        else:
            return self
        raise PydanticCustomError("refused", "{reason}", {"reason": message})


class WorkerOut(BaseModel):
    """A worker that was heard of."""

    name: str
    host: str | None = Field(description="Where it runs; told to the organization that operates the installation")
    pid: int | None = Field(description="Its process, likewise")
    concurrency: int = Field(description="Runs that it may execute at once; 0: it serves other queues")
    busy: int = Field(description="Runs that it executes now")
    started_at: datetime
    seen_at: datetime
    is_alive: bool = Field(description="Heard of within the last seconds")
