"""Runs as people and programs see them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from app.approvals.schemas import DecisionOut, OverrideOut
from app.core.settings import StateBackend
from app.policy.schemas import PolicyCheckOut
from app.runs.queue_schemas import QueuePlace
from app.runs.words import Kind, Status
from app.specs.schemas import TerraformStackSpec
from app.state.schemas import LockOut, UpstreamOutput

__all__ = ["Kind", "Status"]

RunSource = Literal["ui", "api", "ci", "mcp", "schedule"]
RequestKind = Literal["plan", "destroy", "refresh"]
Verdict = Literal["passed", "advisory", "blocked_soft", "blocked_hard"]
Action = Literal["approve", "reject", "revoke", "override", "discard", "cancel", "apply"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Comment = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class Who(BaseModel):
    """A person, service account, agent, or Sluice itself."""

    id: str
    kind: str
    name: str


class Named(BaseModel):
    """A thing with an id and a name."""

    id: str
    name: str


class WorkspaceRef(Named):
    """A workspace, as a run shows it."""

    tags: list[str]


class SpecVersionRef(BaseModel):
    """A spec version; ``number`` is null for one that was never pushed."""

    id: str
    number: int | None
    hash: str


class ConfigurationRef(BaseModel):
    """A configuration, by its digest."""

    id: str | None
    digest: str


class PlanRequest(BaseModel):
    """What to plan from, and why. Without ``configuration_id`` and ``spec`` the workspace's head is planned."""

    model_config = ConfigDict(extra="forbid")

    speculative: bool = Field(False, description="Plan only: takes no lock, can never be applied")
    message: Text = Field("", description="Title of the run, such as the commit's first line")
    configuration_id: str | None = Field(None, description="An uploaded configuration to plan instead of the head's")
    spec: TerraformStackSpec | None = Field(None, description="A spec to plan instead of the head; never moves it")
    experiment_id: str | None = None
    test_id: str | None = None
    source: RunSource = "api"


class RunRequest(PlanRequest):
    """A run to request in a workspace."""

    workspace: str = Field(description="Name or id of the workspace")
    kind: RequestKind = "plan"


class RollbackRequest(BaseModel):
    """A state version to roll the workspace's state back to."""

    model_config = ConfigDict(extra="forbid")

    state_version_id: str = Field(description="Id of an earlier state version of this workspace")
    message: Text = Field("", description="Title of the run; default: to which version")
    source: RunSource = "api"


class MigrationRequest(BaseModel):
    """A backend to move the workspace's state to."""

    model_config = ConfigDict(extra="forbid")

    state_backend: StateBackend
    state_backend_settings: dict[str, JsonValue] = Field(
        default={}, description="The backend's settings (bucket, key, …); credentials are sensitive env variables"
    )
    message: Text = Field("", description="Title of the run; default: from where to where")
    source: RunSource = "api"


class DecisionRequest(BaseModel):
    """A decision on a plan."""

    model_config = ConfigDict(extra="forbid")

    comment: Comment = ""
    fingerprint: str | None = Field(None, description="The fingerprint that was read; refused when it is another now")


class OverrideRequest(BaseModel):
    """An override of the soft-mandatory policy sets that block a plan."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", description="Why the plan may go on; 1 to 4,000 characters, shown beside the run for ever")
    expires_in_seconds: int | None = Field(
        None,
        ge=1,
        description="How long it stands; else SLUICE_OVERRIDE_SECONDS, at most SLUICE_OVERRIDE_MAX_SECONDS",
    )
    fingerprint: str | None = Field(None, description="The fingerprint that was read; refused when it is another now")


class ReasonRequest(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = ""


class Summary(BaseModel):
    """What a plan does, in resources. A replace counts once, and not as add or destroy."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    add: int = 0
    change: int = 0
    destroy: int = 0
    replace: int = 0
    read: int = 0
    move: int = 0
    forget: int = 0
    imports: int = Field(0, alias="import")


class QuorumShort(BaseModel):
    """How many approvals there are, of how many needed."""

    have: int
    need: int


class Timing(BaseModel):
    """How long one phase took."""

    phase: str
    started_at: datetime
    seconds: float


class Timings(BaseModel):
    """Where the time of a run went, in seconds."""

    phases: list[Timing]
    queued_seconds: float | None
    total_seconds: float | None = Field(description="From the request to the plan at the gate, or to the end")


class ResourceEstimate(BaseModel):
    """What one resource is likely to take."""

    address: str
    action: str
    seconds: float | None = Field(description="Median of the last applies; null when nothing alike was applied here")
    basis: Literal["address", "type", "none"] = Field(description="What it was compared with")


class PastApply(BaseModel):
    """An apply that an estimate was made from."""

    run_id: str
    seconds: float


class EstimateOut(BaseModel):
    """What an apply is likely to take, from the last applies of its workspace."""

    seconds: float | None = Field(description="The whole apply, from its claim; null while none is known")
    usual_seconds: float | None = Field(description="Median of the last applies, whatever they changed")
    at_once: float | None = Field(description="How many resources were worked on at once")
    resources: list[ResourceEstimate]
    applies: list[PastApply] = Field(description="What it was made from, newest first")


class RunListItem(BaseModel):
    """A run in a list."""

    id: str
    kind: Kind
    status: Status
    phase: str | None
    is_speculative: bool
    message: str
    workspace: WorkspaceRef
    stack: Named
    spec_version: SpecVersionRef
    source: RunSource
    requested_by: Who
    created_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    summary: Summary | None
    has_changes: bool | None
    verdict: Verdict | None
    approvals: QuorumShort | None
    halted: bool
    was_overridden: bool = Field(description="A person overrode policies that blocked it, whatever became of that")
    status_reason: str | None
    reason_code: str | None = Field(description="A stable word for why it is where it is, such as `state_moved`")
    queue: QueuePlace | None = Field(
        None, description="While queued: its place and why it waits; not told in the answer to its request"
    )
    parent_run_id: str | None
    child_run_id: str | None
    url: str


class FailureOut(BaseModel):
    """Why a run errored: in words, with the engine's diagnostics."""

    model_config = ConfigDict(extra="ignore")

    phase: str
    code: str
    message: str
    exit_code: int | None = None
    diagnostics: list[dict[str, Any]] = []
    resources_applied: int | None = None
    resources_total: int | None = None


class FingerprintPart(BaseModel):
    """One input of the fingerprint, and whether it moved since."""

    name: str
    label: str
    digest: str
    moved: bool


class FingerprintOut(BaseModel):
    """What an approval signs."""

    digest: str
    parts: list[FingerprintPart]
    is_current: bool
    expires_at: datetime | None


class You(BaseModel):
    """What the caller may decide about this run."""

    may_decide: bool
    why_not: str | None
    decision: str | None
    may_override: bool = Field(description="Whether the caller may override the policies that block this run now")
    why_not_override: str | None


class ApprovalsOut(BaseModel):
    """The quorum in full. ``because`` says in words what demands it."""

    have: int
    need: int
    because: list[str]
    rejected_by: list[str] = Field(description="Ids of the people whose rejection stands, so that there is no quorum")
    four_eyes: bool = Field(description="False where the requester may approve their own plan")
    decisions: list[DecisionOut]
    you: You


class StateVersionRef(BaseModel):
    """The state version that an apply left."""

    id: str
    number: int
    serial: int


class RunTarget(BaseModel):
    """Where a rollback or a migration brings the state: to a state version, or to another backend."""

    state_version_id: str | None = None
    state_version_number: int | None = None
    state_version_serial: int | None = None
    state_version_digest: str | None = None
    state_backend: str | None = None
    state_backend_settings: dict[str, Any] | None = None


class RunOut(RunListItem):
    """A run in full."""

    configuration: ConfigurationRef
    target: RunTarget | None = Field(None, description="Of a rollback or a migration; null otherwise")
    engine: dict[str, Any] | None
    variable_count: int
    sensitive_variable_count: int
    upstream_outputs: list[UpstreamOutput] = Field(
        description="Outputs of other workspaces that it reads, each of the state version that was current when claimed"
    )
    experiment_id: str | None
    test_id: str | None
    output_changes: int
    drift_count: int
    timings: Timings
    failure: FailureOut | None
    fingerprint: FingerprintOut | None
    policy_checks: list[PolicyCheckOut]
    approvals_detail: ApprovalsOut | None
    overrides: list[OverrideOut] = Field(description="Oldest first, ended ones too; an apply shows its plan's")
    allowed_actions: list[Action]
    lock: LockOut | None
    state_version: StateVersionRef | None
    child: RunListItem | None
    cancel_requested_at: datetime | None
    halt_id: str | None
    claimed_by: dict[str, Any] | None
    claimed_at: datetime | None
    quiesced_at: datetime | None
    artifacts_removed_at: datetime | None = Field(
        description="When plan and log were removed, since the run ended long ago; decisions and digests are kept"
    )
    proof_of_death: dict[str, Any] | None
    evidence: list[dict[str, Any]]


class RunLook(BaseModel):
    """Where one run is, at a glance."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    status: str
    phase: str | None
    status_reason: str | None
    claimed_at: datetime | None
    finished_at: datetime | None
    quiesced_at: datetime | None
    proof_of_death: dict[str, Any] | None
    child_run_id: str | None = None


class RunMark(BaseModel):
    """What a halt needs to know of a run that it marked."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    organization_id: str
    workspace_id: str
    kind: str
    halt_id: str
    claimed_at: datetime | None
    quiesced_at: datetime | None
    proof_of_death: dict[str, Any] | None
    state_version_id: str | None
