"""Policy sets, attachments, checks and verdicts: what goes in and out."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.core.canonical import digest
from app.core.events import Fact

EnforcementLevel = Literal["advisory", "soft-mandatory", "hard-mandatory"]
Outcome = Literal["passed", "failed", "error"]
Verdict = Literal["passed", "advisory", "blocked_soft", "blocked_hard"]
Stage = Literal["plan", "apply"]
RegoVersion = Literal[0, 1]


class Value(BaseModel):
    """Base of the values that cross slices: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyBundle(Value):
    """The Rego files of a policy set (name to text) and its ``data.json`` as text.

    ``rego_version`` is None until the set has been compiled once; evaluation then tries Rego v1 and then v0.
    """

    files: dict[str, str]
    data: str | None = None
    rego_version: RegoVersion | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of files and data: what was written, not what was found out about it."""
        return digest({"files": self.files, "data": self.data})


class PinnedAttachment(Value):
    """An attachment with the bundle that it was pinned to when it was synced: all that a check needs."""

    id: str
    policy_set_uri: str
    enforcement_level: EnforcementLevel
    waives_unevaluable: bool
    bundle: PolicyBundle = Field(repr=False)
    bundle_digest: str

    @property
    def files(self) -> dict[str, str]:
        """The bundle's Rego files, name to text."""
        return self.bundle.files


class Finding(Value):
    """One thing that a policy said. ``rule`` is what the policy calls it, else its package."""

    rule: str
    kind: Literal["deny", "warn"]
    message: str
    address: str | None = None
    remedy: str | None = None
    severity: str | None = None


class CheckResult(Value):
    """What one attachment said about one plan. ``error`` is set when, and only when, ``outcome`` is ``error``."""

    attachment_id: str
    policy_set_uri: str
    bundle_digest: str
    enforcement_level: EnforcementLevel
    waives_unevaluable: bool
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    policy_engine: str
    duration_ms: int


class CheckReport(Value):
    """All results of one check, the verdict that follows, and their digest for the plan's fingerprint."""

    results: tuple[CheckResult, ...]
    verdict: Verdict
    results_digest: str
    failed: int
    summary: str


class Evaluated(Value):
    """What a draft said about one document. ``error`` is set when, and only when, ``outcome`` is ``error``.

    ``is_late``: the error is the time that it took.
    ``values`` holds what the rules gave, by ``package/rule``, as lists; those that are undefined are absent.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    is_late: bool = False
    values: dict[str, Any] = Field(default_factory=dict)
    policy_engine: str
    duration_ms: float


class WhoOut(BaseModel):
    """Who did something."""

    id: str
    kind: str
    name: str


class PolicyAttachmentIn(BaseModel):
    """A policy set to attach: to a workspace (id or name), to a tag, or, with neither, to the organization."""

    model_config = ConfigDict(extra="forbid")

    policy_set_uri: str = Field(
        min_length=1,
        max_length=500,
        description="A file or directory under `policies/`, such as `policies/blast_radius`; an uploaded set, "
        "`upload:sha256:…`; or a path in git at a ref, `git+https://host/repository.git//path?ref=main`.",
    )
    enforcement_level: EnforcementLevel
    workspace: str | None = Field(None, min_length=1, max_length=200, description="Id or name of the workspace.")
    tag: str | None = Field(None, min_length=1, max_length=100, description="Binds every workspace that has this tag.")
    waives_unevaluable: bool = Field(
        False, description="Lets a plan pass when this set can't be evaluated. Allowed on `advisory` only."
    )


class WorkspaceRef(BaseModel):
    """The workspace that an attachment binds."""

    id: str
    name: str


class PolicyNewerOut(BaseModel):
    """What the last look at an attachment's source found; a sync takes it.

    ``bundle_digest`` is null when nothing newer lay there, or when it could not be read, which ``error`` then says.
    """

    looked_at: datetime
    bundle_digest: str | None
    commit_id: str | None
    error: str | None


class PolicyAttachmentOut(BaseModel):
    """A policy attachment and what it is pinned to."""

    id: str
    policy_set_uri: str
    enforcement_level: EnforcementLevel
    hard_mandatory: bool
    waives_unevaluable: bool
    workspace: WorkspaceRef | None
    tag: str | None
    bundle_digest: str
    commit_id: str | None = Field(description="The commit that the files are of, where they come from git.")
    newer: PolicyNewerOut | None = Field(description="What the periodic look found; null before the first one.")
    files: list[str]
    synced_at: datetime
    created_by: WhoOut
    created_at: datetime


class PolicySyncOut(BaseModel):
    """What a sync did: ``is_changed`` is false when the set is as it was pinned."""

    attachment: PolicyAttachmentOut
    is_changed: bool


class PolicySetOut(BaseModel):
    """A policy set that can be attached: one that lies under the policies directory, or was uploaded."""

    uri: str
    name: str
    title: str
    files: list[str]
    packages: list[str]
    bundle_digest: str | None
    error: str | None = Field(description="Why the set can't be used; null when it can.")
    uploaded_at: datetime | None = Field(None, description="When it was uploaded; null of one under `policies/`.")
    uploaded_by: WhoOut | None = None


class PolicyBundleOut(PolicySetOut):
    """An uploaded policy set; ``is_new`` is false when the same content had been uploaded before."""

    is_new: bool


class PolicySourceOut(BaseModel):
    """The text of a policy set: its Rego files, name to text, and its ``data.json``; the digest is of just that."""

    policy_set_uri: str
    bundle_digest: str
    files: dict[str, str]
    data: str | None


class PolicyCheckOut(BaseModel):
    """A stored policy check of a run."""

    id: str
    stage: Stage
    policy_set_uri: str
    enforcement_level: EnforcementLevel
    outcome: Outcome
    findings: list[Finding]
    error: str | None
    policy_engine: str
    duration_ms: int
    bundle_digest: str
    attachment_id: str
    created_at: datetime


class PolicyDocument(BaseModel):
    """The input document that policies see; ``service.build_input`` makes it. ``time`` is RFC 3339, in UTC."""

    model_config = ConfigDict(extra="forbid")

    plan: dict[str, Any]
    run: dict[str, Any]
    spec: dict[str, Any]
    workspace: dict[str, Any]
    actor: dict[str, Any]
    state: dict[str, Any] | None
    time: str


@dataclass(frozen=True)
class PoliciesMoved(Fact):
    """What binds an organization's workspaces changed: those of ``workspace_id``, or, when None, of any of them."""

    organization_id: str
    workspace_id: str | None
