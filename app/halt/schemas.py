"""Halts as people and dashboards see them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.fence.schemas import Scope

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class HaltRequest(BaseModel):
    """What to halt, and why."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = Field("organization", description="`everything` is for the operator organization")
    workspace: str | None = Field(None, description="Name or id of the workspace, for the scope `workspace`")
    reason: Reason
    latch: bool = Field(True, description="False stops what is there and leaves no fence: new runs may start at once")


class ResumeRequest(BaseModel):
    """Which halt to lift, and why."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = "organization"
    workspace: str | None = None
    reason: Reason


class HaltedRun(BaseModel):
    """One run that a halt marked. ``proof``: how its process is known to be dead; null while it is dying."""

    run_id: str
    workspace_id: str
    kind: str
    state: Literal["dying", "dead", "never_started"]
    proof: dict[str, Any] | None


class HaltRuns(BaseModel):
    """What a halt stopped."""

    marked: int
    dying: int
    dead: int
    never_started: int
    items: list[HaltedRun]


class HaltOut(BaseModel):
    """A halt. It stands while ``resumed_at`` is null and it latched."""

    id: str
    scope: Scope
    scope_id: str
    reason: str
    latch: bool
    actor: dict[str, Any]
    created_at: datetime
    resumed_at: datetime | None
    resumed_by: dict[str, Any] | None
    resume_reason: str | None
    dead_by: datetime = Field(description="Latest moment at which a process of these runs can be alive")
    runs: HaltRuns


class HaltsOut(BaseModel):
    """The halts that stand over the caller's organization, outermost first."""

    active: list[HaltOut]
