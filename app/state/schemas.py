"""State as people and programs see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.core.artifacts import ArtifactRef
from app.core.events import Fact

StateKind = Literal["applied", "snapshot", "errored"]


class StateResource(BaseModel):
    """One resource instance that a state holds."""

    address: str
    module: str
    mode: str
    type: str
    name: str
    provider: str


class StateVersionOut(BaseModel):
    """A state version. ``number`` counts the workspace's versions, ``serial`` is the engine's own."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    workspace_id: str
    run_id: str | None
    number: int
    kind: StateKind
    serial: int
    lineage: str
    digest: str = Field(description="SHA-256 of the state as the engine wrote it")
    size_bytes: int
    engine_version: str
    resource_count: int
    created_by: dict[str, Any]
    created_at: datetime


class StateVersionDetail(StateVersionOut):
    """A state version with its resource list."""

    resources: list[StateResource]


class Output(BaseModel):
    """One output value; a sensitive one has a null value."""

    name: str
    type: JsonValue
    sensitive: bool
    value: JsonValue


class LockOut(BaseModel):
    """Who holds a state's lock. ``is_orphaned``: the holder is proven dead."""

    run_id: str
    holder: dict[str, Any]
    reason: str
    acquired_at: datetime
    heartbeat_at: datetime
    is_orphaned: bool


class CurrentState(BaseModel):
    """The newest state version of a workspace, for other slices."""

    model_config = ConfigDict(frozen=True)

    id: str
    number: int
    serial: int
    lineage: str
    digest: str
    artifact: ArtifactRef
    resource_count: int


class ParsedState(BaseModel):
    """What Sluice reads off a state file (format version 4)."""

    model_config = ConfigDict(frozen=True)

    serial: int
    lineage: str
    engine_version: str
    outputs: list[Output]
    resources: list[StateResource]


@dataclass(frozen=True)
class StateLockReleased(Fact):
    """A person released an orphaned lock; what waits in the workspace may start."""

    organization_id: str
    workspace_id: str
