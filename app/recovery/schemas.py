"""Recovery lists as people and programs see them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RecoveryOutcome = Literal["created", "unknown", "destroyed"]
RecoveryStatus = Literal["open", "resolved", "dismissed"]
Change = Literal["create", "update", "delete"]


class RecoveryItemOut(BaseModel):
    """A resource that an apply may have left without a state that knows it.

    ``outcome``: `created` (the engine said so, and no state holds it), `unknown` (it was begun, and nobody heard how
    that ended), `destroyed` (the engine said so, and the state still lists it).
    """

    id: str
    run_id: str
    workspace_id: str
    address: str
    action: Literal["create", "update", "delete", "replace"] = Field(description="What the plan was to do with it")
    change: Change = Field(description="What of that it is about: a replace creates and deletes")
    provider: str | None
    type: str
    outcome: RecoveryOutcome
    resource_id: str | None = Field(description="What the provider calls it; null when that is not known")
    reason: str = Field(description="Why it is on the list")
    started_at: datetime | None = Field(description="When the engine began with it, by its own clock")
    hints: dict[str, str] = Field(description="Attributes of the plan to find it by; never sensitive ones")
    import_block: str | None = Field(description="HCL to paste into the configuration; null where none would help")
    import_template: str | None = Field(description="The same with a blank id, for what has to be looked up first")
    check: str | None = Field(description="What a person should look at, or do")
    is_in_state: bool = Field(description="Whether the workspace's state lists it by now")
    status: RecoveryStatus = Field(description="`resolved` by itself once the state is right; `dismissed` by a person")
    created_at: datetime
    decided_at: datetime | None
    decided_by: dict[str, Any] | None
    decision_reason: str | None
    state_version_id: str | None = Field(description="The state version that resolved it")


class RunRecovery(BaseModel):
    """The recovery list of a run's apply."""

    run_id: str = Field(description="The apply's id; the run's own when it has none")
    workspace_id: str
    is_complete: bool = Field(description="The apply is over and everything that is known of it is in the list")
    evidence: Literal["whole", "partial", "none"] | None = Field(
        description="`whole`: everything that the engine began is known; `partial`: only what had been sent; `none`: "
        "nothing, so the plan is taken for it; null where no list is needed"
    )
    failure: str | None = Field(None, description="What the list had to be made without")
    open_count: int = Field(description="How many of the items are open")
    items: list[RecoveryItemOut]


class DismissRequest(BaseModel):
    """Taking an item off the list."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="Why; it is audited")


class OpenItems(BaseModel):
    """How many resources of one run wait for a person, and since when."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    workspace_id: str
    count: int
    since: datetime
