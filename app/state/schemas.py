"""State as people and programs see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.core.artifacts import ArtifactRef
from app.core.events import Fact

StateKind = Literal["applied", "snapshot", "errored", "imported", "rolled_back", "recovered", "pulled"]
LockKind = Literal["run", "manual"]
ChangeOp = Literal["add", "remove", "change"]
QuarantineStatus = Literal["held", "adopted", "discarded"]


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
    pruned_at: datetime | None = Field(None, description="When retention let go of the content; null while it is kept")


class StateVersionDetail(StateVersionOut):
    """A state version with its resource list."""

    resources: list[StateResource]


class Output(BaseModel):
    """One output value; a sensitive one has a null value."""

    name: str
    type: JsonValue
    sensitive: bool
    value: JsonValue


class ResourceFilter(BaseModel):
    """Which resources of a state; every given one must hold."""

    model_config = ConfigDict(frozen=True)

    module: str | None = None
    type: str | None = None
    provider: str | None = None
    mode: str | None = None
    search: str | None = None


class FacetCount(BaseModel):
    """One value that resources can be narrowed to, and how many have it."""

    value: str
    count: int


class ResourceFacets(BaseModel):
    """What the resources of a state can be narrowed to, each list by name.

    The root module is the empty text. A resource counts for its own module alone, not for those around it.
    """

    total: int
    modules: list[FacetCount]
    types: list[FacetCount]
    providers: list[FacetCount]
    modes: list[FacetCount]


class AttributeChange(BaseModel):
    """One attribute that differs. A sensitive one has null values."""

    path: str = Field(description='Such as `tags.Name`, `rule[0].port` or `labels["a b"]`')
    op: ChangeOp
    before: JsonValue
    after: JsonValue
    sensitive: bool


class ResourceChange(StateResource):
    """One resource instance that differs, with its attributes that do."""

    op: ChangeOp
    attributes: list[AttributeChange]


class OutputChange(BaseModel):
    """One output that differs. A sensitive one has null values."""

    name: str
    op: ChangeOp
    before: JsonValue
    after: JsonValue
    sensitive: bool


class StateDiff(BaseModel):
    """What differs from one state version to another: counts, outputs, and one page of the resources."""

    before: StateVersionOut
    after: StateVersionOut
    added: int
    removed: int
    changed: int
    outputs: list[OutputChange]
    items: list[ResourceChange]
    next_cursor: str | None


class StateChanges(BaseModel):
    """All that differs between two states. Sensitive values are null."""

    model_config = ConfigDict(frozen=True)

    resources: list[ResourceChange]
    outputs: list[OutputChange]


class LockOut(BaseModel):
    """Who holds a state's lock: a run, or a person (``manual``). ``is_orphaned``: the holding run is proven dead."""

    kind: LockKind = "run"
    run_id: str | None = Field(description="The run that holds it; null for a manual lock")
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


class LockRequest(BaseModel):
    """A manual lock: while it is held, no run of the workspace starts."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="Why; everybody sees it")


class UnlockRequest(BaseModel):
    """Taking another's lock away."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="Why; it is audited")


class Retention(BaseModel):
    """How long the content of old state versions is kept.

    A version's content goes when every given limit lets it go; null and null keep everything. The newest version's is
    always kept, and so is what is said about each version: number, serial, digest, size, who and which run.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    keep_versions: int | None = Field(None, ge=1, le=100_000, description="Keep the newest so many")
    keep_days: int | None = Field(None, ge=1, le=36_500, description="Keep those of the last so many days")


class UpstreamOutput(BaseModel):
    """An output of another workspace that a run reads, pinned to a state version when the run was claimed."""

    model_config = ConfigDict(frozen=True)

    input: str = Field(description="The input that it becomes")
    workspace_id: str
    workspace: str = Field(description="Name of the other workspace, when it was read")
    output: str
    sensitive: bool
    state_version_id: str
    number: int = Field(description="Number of the state version in the other workspace")
    serial: int


class QuarantinedState(BaseModel):
    """A state that could not become a version. ``serial`` and ``lineage`` are null when it could not be read."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    workspace_id: str
    run_id: str | None
    kind: StateKind
    code: str = Field(description="The error's code that it was refused with")
    reason: str
    serial: int | None
    lineage: str | None
    digest: str
    size_bytes: int
    created_by: dict[str, Any]
    created_at: datetime
    status: QuarantineStatus
    decided_at: datetime | None
    decided_by: dict[str, Any] | None
    decision_reason: str | None
    state_version_id: str | None = Field(description="The version that it became, when it was adopted")


class QuarantineDiff(BaseModel):
    """What would differ if a quarantined state took the place of the current one: counts, outputs, a page of resources.

    ``before`` is null when the workspace has no state version yet.
    """

    before: StateVersionOut | None
    after: QuarantinedState
    added: int
    removed: int
    changed: int
    outputs: list[OutputChange]
    items: list[ResourceChange]
    next_cursor: str | None


class AdoptRequest(BaseModel):
    """Making a quarantined state the current one."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="Why; it is audited")
    replace_lineage: bool = Field(False, description="Take it also when it is the state of something else by lineage")


class DiscardRequest(BaseModel):
    """Letting go of a quarantined state."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, description="Why; it is audited")


@dataclass(frozen=True)
class StateLockReleased(Fact):
    """A lock that kept runs from starting is gone; what waits in the workspace may start."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class StateLocking(Fact):
    """A person is about to lock the state; a subscriber raises ``StateLocked`` while a run is at work."""

    organization_id: str
    workspace_id: str
