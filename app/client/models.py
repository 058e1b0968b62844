"""What the client reads of the API's answers: few models, tolerant of fields that they don't know.

Each keeps the answer as it came (``document``), so that a program sees fields that this version does not name.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

T = TypeVar("T")

BUSY = frozenset({"queued", "running"})
FINAL = frozenset({"planned", "no_changes", "applied", "superseded", "discarded", "cancelled", "errored"})
BLOCKED = frozenset({"blocked_soft", "blocked_hard"})


class Document(BaseModel):
    """An answer of the API."""

    model_config = ConfigDict(extra="ignore")

    _document: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, data: Any) -> Self:
        """Read parsed JSON. Raises ``pydantic.ValidationError`` when it is something else."""
        made = cls.model_validate(data)
        made._document = data  # noqa: SLF001 - its own
        return made

    @property
    def document(self) -> dict[str, Any]:
        """The answer as it came."""
        return self._document


class Named(BaseModel):
    """Something with an id and a name."""

    model_config = ConfigDict(extra="ignore")

    id: str
    name: str


class Counts(BaseModel):
    """What a plan does, in resources."""

    model_config = ConfigDict(extra="ignore")

    add: int = 0
    change: int = 0
    destroy: int = 0
    replace: int = 0
    read: int = 0
    move: int = 0
    forget: int = 0

    @property
    def steps(self) -> int:
        """How many steps an apply reports; a replace is a destroy and a create."""
        return self.add + self.change + self.destroy + 2 * self.replace


class Quorum(BaseModel):
    """Approvals there are, of those needed."""

    model_config = ConfigDict(extra="ignore")

    have: int
    need: int


class QueuePlace(BaseModel):
    """Where a queued run stands, and why it waits."""

    model_config = ConfigDict(extra="ignore")

    position: int
    code: str
    reason: str

    @property
    def words(self) -> str:
        """The place and the reason, for people."""
        return f"{_ordinal(self.position)} in the queue. {self.reason}"


def _ordinal(number: int) -> str:
    teens = 10 <= number % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


class Run(Document):
    """A run: a plan of some kind, or the apply that is its child."""

    id: str
    kind: str
    status: str
    url: str
    phase: str | None = None
    is_speculative: bool = False
    message: str = ""
    workspace: Named
    stack: Named | None = None
    verdict: str | None = None
    has_changes: bool | None = None
    halted: bool = False
    was_overridden: bool = False
    summary: Counts | None = None
    approvals: Quorum | None = None
    status_reason: str | None = None
    queue: QueuePlace | None = None
    parent_run_id: str | None = None
    child_run_id: str | None = None
    failure: dict[str, Any] | None = None
    fingerprint: dict[str, Any] | None = None
    policy_checks: list[dict[str, Any]] = []
    overrides: list[dict[str, Any]] = []
    timings: dict[str, Any] = {}

    @property
    def is_final(self) -> bool:
        """Whether nothing will become of it any more."""
        return self.status in FINAL

    @property
    def is_blocked(self) -> bool:
        """Whether a policy blocks it; a speculative run keeps its verdict in a final status."""
        return self.status == "policy_blocked" or (self.verdict in BLOCKED and self.status in {"planned", "no_changes"})


def settled(run: Run) -> bool:
    """Whether a plan is done: it waits at the gate, is blocked, or has ended."""
    return run.status not in BUSY


def ended(run: Run) -> bool:
    """Whether a run has a final status."""
    return run.is_final


class ApprovalCondition(BaseModel):
    """When a plan of a workspace needs more approvals, and how many: `deletes`, `changes_over`, `tag`."""

    model_config = ConfigDict(extra="ignore")

    when: str
    threshold: int | None = None
    tag: str | None = None
    required_approvals: int
    approver_teams: list[Named] = []


class Workspace(Document):
    """A workspace, with its rules of the gate. ``approval_validity_seconds`` None: approvals count for ever."""

    id: str
    name: str
    description: str = ""
    tags: list[str] = []
    stack: Named
    head: dict[str, Any] | None = None
    required_approvals: int = 1
    approver_teams: list[Named] = []
    requester_may_approve: bool = False
    approval_validity_seconds: int | None = None
    approval_conditions: list[ApprovalCondition] = []
    auto_apply: bool = False
    auto_apply_allows_destroy: bool = False


class Stack(Document):
    """A stack."""

    id: str
    name: str
    description: str = ""
    latest_version: dict[str, Any] | None = None


class Configuration(Document):
    """An uploaded configuration; ``created`` is false when the same content was there before."""

    id: str
    digest: str
    size_bytes: int
    file_count: int
    created: bool = False


class Record(BaseModel):
    """A log line or typed event of a run. Offsets count from 0 without a gap."""

    model_config = ConfigDict(extra="ignore")

    offset: int
    at: datetime
    kind: str
    stream: str = "system"
    text: str = ""
    data: dict[str, Any] = {}

    @property
    def type(self) -> str:
        """The event's type, such as ``apply_complete``; empty for a line."""
        return str(self.data.get("type", ""))


class ProgressPage(BaseModel):
    """Records from an offset on. Without records it says that time passed and nothing was new."""

    model_config = ConfigDict(extra="ignore")

    records: list[Record] = []
    next: int
    closed: bool = False

    def since(self, cursor: int) -> "ProgressPage":
        """Return the page without the records before ``cursor``, which its reader has."""
        return self.model_copy(update={"records": [record for record in self.records if record.offset >= cursor]})


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None


def page_of(read: Callable[[Any], T]) -> Callable[[Any], Page[T]]:
    """Return a reader of pages whose items ``read`` reads."""

    def read_page(data: Any) -> Page[T]:
        return Page(items=[read(item) for item in data["items"]], next_cursor=data.get("next_cursor"))

    return read_page


class Finding(BaseModel):
    """One thing that a policy said."""

    model_config = ConfigDict(extra="ignore")

    rule: str
    kind: str
    message: str
    address: str | None = None
    remedy: str | None = None
    severity: str | None = None


class Rehearsal(Document):
    """A policy set that is evaluated over past plans."""

    id: str
    status: str
    status_reason: str | None = None
    total: int
    done: int
    removed: int = 0
    newly_blocked: int = 0
    would_block: int = 0
    would_warn: int = 0
    would_pass: int = 0
    not_evaluable: int = 0
    seconds: float | None = None
    plans_per_second: float | None = None
    policy_engine: str | None = None
    assumptions: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing more is evaluated."""
        return self.status not in BUSY


class RehearsalResult(Document):
    """What a rehearsed policy set says about one plan."""

    run_id: str
    workspace: Named
    kind: str
    planned_at: datetime
    effect: str
    outcome: str | None = None
    verdict: str | None = None
    verdict_then: str | None = None
    findings: list[Finding] = []
    error: str | None = None


class Evaluation(Document):
    """What a policy set says about one input."""

    outcome: str
    findings: list[Finding] = []
    error: str | None = None
    problems: list[dict[str, Any]] = []
    values: dict[str, Any] = {}
    policy_engine: str
    duration_ms: int
    assumptions: list[str] = []
