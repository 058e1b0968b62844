"""The vocabulary of notifications."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Event = Literal["waiting", "blocked", "applied", "errored", "halted"]
Format = Literal["sluice", "slack"]
Status = Literal["pending", "delivered", "failed", "dropped"]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
Url = Annotated[str, Field(min_length=1, max_length=2000, examples=["https://hooks.example.org/sluice"])]
Events = Annotated[list[Event], Field(min_length=1, max_length=5)]
Workspaces = Annotated[list[str], Field(min_length=1, max_length=200, description="Names or ids; else all.")]
Tag = Annotated[str, Field(min_length=1, max_length=200, description="Workspaces with this tag; else all.")]


class DestinationIn(BaseModel):
    """A new destination. ``workspaces`` or ``tag`` narrow which workspaces it hears of; not both."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    url: Url
    format: Format = "sluice"
    events: Events
    workspaces: Workspaces | None = None
    tag: Tag | None = None
    is_enabled: bool = True

    @model_validator(mode="after")
    def _one_filter(self) -> "DestinationIn":
        if self.workspaces is not None and self.tag is not None:
            raise ValueError("name workspaces or a tag, not both; with neither it hears of every workspace")
        return self


class DestinationChange(BaseModel):
    """What to change; what is left out stays. ``workspaces`` and ``tag`` as null hear of every workspace.

    ``is_enabled`` true clears why it was disabled. ``new_secret`` true makes a new secret, shown once.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    url: Url | None = None
    format: Format | None = None
    events: Events | None = None
    workspaces: Workspaces | None = None
    tag: Tag | None = None
    is_enabled: bool | None = None
    new_secret: bool = False


class DestinationOut(BaseModel):
    """A destination. ``url`` is shortened to scheme and host, since a path may be a secret.

    ``secret`` is there in the answer that made it, and never again. ``disabled_reason`` says why Sluice has disabled
    it; ``failing_since`` since when nothing has arrived.
    """

    id: str
    name: str
    url: str
    format: Format
    events: list[Event]
    workspaces: list[str] | None = Field(description="Ids of the workspaces that it hears of.")
    tag: str | None
    is_enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    succeeded_at: datetime | None
    created_at: datetime
    created_by: dict[str, Any]
    secret: str | None = None


class DeliveryOut(BaseModel):
    """One event for one destination, and what came of it. ``response`` is the beginning of the last answer's body."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Also the `webhook-id` header, the same at every attempt.")
    destination_id: str
    event: str
    payload: dict[str, Any]
    status: Status
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    attempted_at: datetime | None
    http_status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None
    ended_at: datetime | None


class RunNews(BaseModel):
    """What runs tells of a run that has come to a new status."""

    model_config = ConfigDict(frozen=True)

    organization_id: str
    workspace_id: str
    run_id: str
    kind: str
    status: str
    reason: str | None
    message: str
    requested_by: str
    has_changes: bool | None
    counts: dict[str, Any] | None
    url: str


class HaltNews(BaseModel):
    """What halt tells. ``organization_id`` is null when everything was halted, ``workspace_id`` unless one was.

    ``runs`` says how many runs each organization may hear of: its own, and who halted hears of all.
    """

    model_config = ConfigDict(frozen=True)

    halt_id: str
    scope: str
    organization_id: str | None
    workspace_id: str | None
    reason: str
    actor: str
    runs: dict[str, int]
    url: str
