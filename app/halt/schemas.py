"""Halts as people and dashboards see them."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.fence.schemas import Scope
from app.state.service import StateLeft

REASON_CHARACTERS = 500
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARACTERS)]
MOST_RUNS = 500
"""Runs of a halt that an answer lists, the dying first; they are all counted."""


class _Place(BaseModel):
    """Where: the actor's organization unless another scope or a workspace is named."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = Field(
        "organization",
        description="`everything` is for the operator organization; a `workspace` without a scope means that one alone",
    )
    workspace: str | None = Field(None, description="Name or id of the workspace, for the scope `workspace`")

    @model_validator(mode="after")
    def _workspace_is_a_scope(self) -> Self:
        # Who names one workspace and nothing else must not stop, or start, all of the organization's.
        if self.workspace is not None and "scope" not in self.model_fields_set:
            self.scope = "workspace"
        return self


class HaltRequest(_Place):
    """What to halt, and why."""

    reason: Reason
    latch: bool = Field(True, description="False stops what is there and leaves no fence: new runs may start at once")


class ResumeRequest(_Place):
    """Which halt to lift, and why."""

    reason: Reason


class HaltedRun(BaseModel):
    """One run that a halt marked. ``proof``: how its process is known to be dead; null while it is dying.

    ``state``: `dying`; `dead`, proven; `presumed` dead, since its lease ran out and nobody answers; `never_started`.
    """

    run_id: str
    workspace_id: str
    kind: str
    state: Literal["dying", "dead", "presumed", "never_started"]
    had_ended: bool = Field(
        description="Its process was dead before the halt, as that of every plan that waits at the gate is"
    )
    dead_at: datetime | None
    proof: dict[str, Any] | None
    state_written: StateLeft | None = Field(description="The last state that the run wrote; null when it wrote none")
    lock: Literal["never_held", "held", "released", "orphaned"] = Field(
        description="The workspace's state lock: `orphaned` waits for a person, who looks whether the state is whole"
    )


class HaltRuns(BaseModel):
    """What a halt stopped: ``marked`` is the sum of the four counts behind it."""

    marked: int
    dying: int
    dead: int = Field(description="Proven dead")
    had_ended: int = Field(description="Those of `dead` whose process was dead before the halt: nothing was killed")
    presumed: int = Field(description="Presumed dead, by lease: nothing else proves it")
    never_started: int
    items: list[HaltedRun] = Field(description=f"At most {MOST_RUNS}, the dying first")


class SiblingCall(BaseModel):
    """What a sibling system said to a halt. Only `answered` says that it took it; all else is not known."""

    name: str
    url: str
    status: Literal["pending", "answered", "failed", "timed_out"]
    http_status: int | None
    attempts: int
    seconds: float | None = Field(description="From the halt to the end of the last attempt")
    detail: str | None


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
    seconds_left: float = Field(description="From this answer to `dead_by`; 0 once no run is dying")
    all_dead_at: datetime | None = Field(description="When the last of its processes was known to be dead")
    runs: HaltRuns
    fanout: list[SiblingCall] = Field(description="For the operator organization; empty for others")


class HaltsOut(BaseModel):
    """The halts that stand over the caller's organization, outermost first, and lifted ones that still end runs."""

    active: list[HaltOut]
    ending: list[HaltOut] = Field(description="Halts that do not stand, of which some run is still dying")
