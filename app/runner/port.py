"""``RunnerPort``: all that a pipeline sees of the control plane.

In process today, over HTTPS later, for runners that reach neither database nor broker. So every argument and answer is
a value, every call is one transaction on the other side, and every call of a running run carries its fencing token.
A token that is no longer the run's raises ``LeaseLost``; only ``put_state``, ``put_steps`` and the evidence calls still
work then.
"""

from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.core.artifacts import ArtifactRef
from app.core.errors import AppError

RunKind = Literal["plan", "destroy", "refresh", "rollback", "migration", "apply"]
Phase = Literal["preparing", "initializing", "planning", "checking_policies", "verifying", "applying", "snapshotting"]
Verdict = Literal["passed", "advisory", "blocked_soft", "blocked_hard"]
StopOrder = Literal["cancel", "halt", "lease_lost"]
StateKind = Literal["applied", "snapshot", "errored", "rolled_back", "pulled"]
ArtifactKind = Literal["plan_file", "plan_json", "plan_view", "lock_file", "side_files", "log"]

SERVED = frozenset({"local", "http"})
"""Backends, in the engine's words, whose state the control plane itself keeps."""


class LeaseLost(AppError):
    """The fencing token is no longer the run's: its lease expired and was swept, or the run has ended."""

    status = 409
    code = "lease_lost"
    title = "The run's lease is lost"


class Message(BaseModel):
    """Base of what crosses the port: immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkerInfo(Message):
    """Who claims: shown on the run, never trusted."""

    name: str
    host: str
    pid: int


class JobVariable(Message):
    """One variable as the engine gets it. ``value`` is HCL text when ``hcl``, else the literal string."""

    key: str
    value: str = Field(repr=False)
    kind: Literal["terraform", "env"]
    sensitive: bool = False
    hcl: bool = False


class EngineRequest(Message):
    """Which engine the spec asks for; ``kind`` None takes the worker's first (tofu, then terraform)."""

    kind: Literal["tofu", "terraform"] | None = None
    version_constraint: str | None = None


class EngineInfo(Message):
    """Which engine ran."""

    kind: Literal["tofu", "terraform"]
    version: str
    sha256: str


class JobBackend(Message):
    """A backend that a state is moved to."""

    generated_files: dict[str, str] = Field(description="Rendered files of its directory: name to content")
    expected_backend: str = Field(description="Backend that must be configured after init")
    backend_settings: dict[str, JsonValue] = Field(description="Its settings, as the engine must have them after init")


class RunnerJob(Message):
    """Everything that a supervisor needs to execute one claimed run. Carries secrets: never written or logged."""

    run_id: str
    organization_id: str
    workspace_id: str
    workspace_name: str
    kind: RunKind
    speculative: bool
    fencing_token: int
    lease_seconds: float
    heartbeat_seconds: float
    grace_seconds: float
    timeout_seconds: float
    engine: EngineRequest
    configuration: ArtifactRef | None = Field(description="tar.gz of the configuration; None when all is rendered")
    module_path: str = Field("", description="Directory inside the configuration that holds the root module")
    generated_files: dict[str, str] = Field(description="Rendered files laid over the root module: name to content")
    has_policies: bool = Field(True, description="Whether policies judge the plan; settling looks again by itself")
    expected_backend: str = Field(description="Backend that must be configured after init, such as `local`")
    backend_settings: dict[str, JsonValue] = Field(
        default_factory=dict, description="That backend's settings, exactly as the engine must have them after init"
    )
    backend_environment: dict[str, str] = Field(
        default_factory=dict, repr=False, description="The backend's address and credentials; given to the engine alone"
    )
    target: JobBackend | None = Field(None, description="Migration only: where the state goes")
    state_lineage: str | None = Field(None, description="Lineage of the state that is planned against; None before one")
    state_serial: int = Field(0, description="Serial of that state")
    variables: tuple[JobVariable, ...] = ()
    state: ArtifactRef | None = Field(None, description="The workspace's current state; None unless it is laid down")
    lock_file: ArtifactRef | None = Field(None, description="Provider lock file: of the planned run for an apply")
    plan_file: ArtifactRef | None = Field(None, description="Apply only: the saved plan")
    side_files: ArtifactRef | None = Field(None, description="Apply only: tar.gz of what the plan left beside it")
    planned_run_id: str | None = Field(None, description="Apply only: the run whose plan is applied")
    planned_kind: RunKind | None = Field(None, description="Apply only: the kind of that run")
    working_directory: str | None = Field(None, description="Apply only: absolute path that the plan was made in")
    planned_engine: EngineInfo | None = Field(None, description="Apply only: the engine that planned; must be equal")

    @property
    def keeps_state_here(self) -> bool:
        """Whether the state lies in the run's directory; else the engine itself sends it to its backend."""
        return self.expected_backend == "local"

    @property
    def is_state_served(self) -> bool:
        """Whether the control plane itself keeps the workspace's state; else its backend does, beyond our reach."""
        return self.expected_backend in SERVED

    @property
    def is_locked_by_engine(self) -> bool:
        """Whether the engine takes the state's lock for a plan.

        A speculative plan takes none. The managed backend's is the run's from its claim, and a plan writes nothing: two
        requests that change nothing are saved.
        """
        return not self.speculative and self.expected_backend != "http"


class ProgressRecord(Message):
    """One line or typed event of a run; the control plane gives it its offset."""

    at: datetime
    kind: Literal["line", "event", "phase"]
    stream: Literal["stdout", "stderr", "system"] = "system"
    text: str = ""
    data: dict[str, JsonValue] = Field(default_factory=dict)


class HeartbeatAnswer(Message):
    """What the control plane wants: go on, or stop for a reason."""

    stop: StopOrder | None = None
    reason: str | None = None
    lease_expires_at: datetime


class Counts(Message):
    """What a plan does, in resources. A replace counts once, and not as add or destroy."""

    add: int = 0
    change: int = 0
    destroy: int = 0
    replace: int = 0
    read: int = 0
    move: int = 0
    forget: int = 0
    # `import` is a keyword of Python, not of JSON.
    imports: int = Field(0, alias="import", serialization_alias="import")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ChangedTags(Message):
    """The tags of resources that a plan changes, before and after, by key.

    None stands for any value: one comes with the apply, is sensitive, or there are too many to name. Where
    ``is_complete`` is false there may be other keys.
    """

    values: dict[str, tuple[str, ...] | None] = Field(default_factory=dict)
    is_complete: bool = True


class Timing(Message):
    """How long one phase took."""

    phase: Phase
    started_at: datetime
    seconds: float


class PlanOutcome(Message):
    """What a plan run produced. The artifacts were stored with ``put_artifact`` before."""

    engine: EngineInfo
    has_changes: bool
    counts: Counts
    changed_tags: ChangedTags | None = Field(None, description="None where nobody looked: any tag may be among them")
    output_changes: int = 0
    drift_count: int = 0
    plan_file: ArtifactRef
    plan_json: ArtifactRef
    plan_view: ArtifactRef = Field(description="The summary that people see, sensitive values replaced by a marker")
    lock_file: ArtifactRef | None
    side_files: ArtifactRef | None
    working_directory: str
    state_lineage: str | None
    state_serial: int
    timings: tuple[Timing, ...]


class MovePlan(Message):
    """What a run that moves a state will do, as the control plane found and stored it.

    ``plan_file`` is the state that an apply writes, byte for byte.
    """

    has_changes: bool
    counts: Counts
    output_changes: int = 0
    plan_file: ArtifactRef
    plan_json: ArtifactRef
    plan_view: ArtifactRef


class CheckAnswer(Message):
    """The policies' verdict on a plan."""

    verdict: Verdict
    failed: int
    summary: str


class SettleAnswer(Message):
    """Where the plan run went."""

    status: str
    reason: str | None = None


class VerifyAnswer(Message):
    """Whether the apply may start; when not, the run was marked superseded and ``reason`` says why."""

    may_apply: bool
    reason: str | None = None


class ApplyOutcome(Message):
    """What an apply did. The state was stored with ``put_state`` before."""

    state_version_id: str | None
    resources_applied: int
    timings: tuple[Timing, ...]


class StateAnswer(Message):
    """How a state was kept."""

    state_version_id: str
    serial: int
    quarantined: bool = False


class Failure(Message):
    """Why a run failed: in words, with the engine's diagnostics."""

    phase: Phase
    code: str
    message: str
    exit_code: int | None = None
    diagnostics: tuple[dict[str, Any], ...] = ()
    resources_applied: int | None = None
    resources_total: int | None = None
    timings: tuple[Timing, ...] = ()


class ApplyStep(Message):
    """What is known of one resource that an apply began to work on: the last thing that the engine said of it.

    ``id_key`` and ``id_value`` are what the engine knew it by: of a creation after it, of a deletion before it.
    """

    address: str
    action: Literal["create", "update", "delete"]
    outcome: Literal["started", "complete", "errored"]
    resource_type: str = ""
    id_key: str = ""
    id_value: str = ""
    started_at: datetime | None = None


class ApplySteps(Message):
    """Everything that an apply that did not end well had begun: what is not among the steps was never begun.

    ``is_ended``: the engine ended by itself and its last state is stored, so that what it could not make is not there.
    """

    steps: tuple[ApplyStep, ...]
    is_ended: bool = False


class ProofOfDeath(Message):
    """How it is known that no process of the run lives.

    ``wait_status`` (the supervisor reaped it) or ``empty_pid_namespace`` is proof; ``presumed_by_lease`` is said only
    by the sweep; ``never_started`` when no engine was started.
    """

    kind: Literal["wait_status", "empty_pid_namespace", "presumed_by_lease", "never_started"]
    at: datetime
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    signals_sent: tuple[str, ...] = ()
    detail: str = ""


class RunnerPort(Protocol):
    """The control plane, as a supervisor sees it."""

    def claim(self, run_id: str, worker: WorkerInfo) -> RunnerJob | None:
        """Claim a queued run by compare-and-swap; None when it is not in turn, not queued, or a fence stands."""

    def heartbeat(self, run_id: str, token: int, phase: Phase | None) -> HeartbeatAnswer:
        """Renew the lease, note the phase, and learn whether to stop."""

    def append(self, run_id: str, token: int, records: list[ProgressRecord]) -> None:
        """Append records to the run's progress, in order."""

    def get_artifact(self, run_id: str, token: int, reference: ArtifactRef) -> bytes:
        """Return an artifact that belongs to the run's job. Raises ``IntegrityError`` when it was altered."""

    def put_artifact(self, run_id: str, token: int, kind: ArtifactKind, data: bytes) -> ArtifactRef:
        """Store an artifact of the run."""

    def put_state(self, run_id: str, token: int, kind: StateKind, data: bytes) -> StateAnswer:
        """Store a state version in a transaction of its own, whatever the run's status.

        What can't become a version, or comes after the run has quiesced, goes to quarantine; the answer says so.
        """

    def outline(self, run_id: str, token: int, found: bytes | None, there: bytes | None = None) -> MovePlan:
        """Say what a rollback or migration changes, and store its plan.

        ``found`` is the state that the workspace's backend holds now; for a rollback only where the control plane
        doesn't keep it itself. ``there`` is what a migration's target holds.
        """

    def check(self, run_id: str, token: int, outcome: PlanOutcome) -> CheckAnswer:
        """Evaluate the workspace's policies over the stored plan."""

    def settle(self, run_id: str, token: int, outcome: PlanOutcome) -> SettleAnswer:
        """End a plan run by the state machine."""

    def verify(self, run_id: str, token: int) -> VerifyAnswer:
        """Verify fingerprint, quorum and policies, take the state lock, and let the apply start; or supersede it."""

    def finish(self, run_id: str, token: int, outcome: ApplyOutcome) -> None:
        """The engine exited 0 and its state is stored: applied."""

    def stale(self, run_id: str, token: int, reason: str) -> None:
        """The apply can't go on because what was approved is not what is there: superseded."""

    def fail(self, run_id: str, token: int, failure: Failure) -> None:
        """End the run as errored."""

    def acknowledge(self, run_id: str, token: int, failure: Failure | None) -> None:
        """The cancelled run's process is gone and its state stored: cancelled."""

    def evidence(self, run_id: str, token: int, kind: str, data: dict[str, JsonValue]) -> None:
        """Note something about the run that is kept whatever its status."""

    def put_steps(self, run_id: str, token: int, steps: ApplySteps) -> None:
        """Keep what an apply had begun, whatever the run's status, also after it has quiesced."""

    def quiesce(self, run_id: str, token: int, proof: ProofOfDeath) -> None:
        """The process is proven dead: revoke credentials, release the state lock, let the next run in."""
