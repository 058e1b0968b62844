"""Rehearsals and the playground: what goes in and out."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.policy.schemas import EnforcementLevel, Finding, Outcome, Verdict, WhoOut, WorkspaceRef

RehearsalStatus = Literal["queued", "running", "finished", "errored", "cancelled"]
Effect = Literal["newly_blocks", "blocks", "warns", "passes", "removed"]
MOST_PLANS = 500

ASSUMPTIONS = (
    "The workspace's name and tags are those of now; what they were is not kept.",
    "input.time is the moment at which the plan was made.",
    "Values that are sensitive now are hidden, also where they were not then.",
)
"""What of a past plan's input is not as it was when it was checked."""

FileName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Draft(BaseModel):
    """The text of a policy set that is nowhere yet: Rego files by name, and its `data.json`."""

    model_config = ConfigDict(extra="forbid")

    files: dict[FileName, str] = Field(
        min_length=1, description="Name to text, such as `policy.rego`; `*_test.rego` must stay out.", repr=False
    )
    data: str | None = Field(None, description="The set's `data.json`, as text.", repr=False)


class RehearsalIn(BaseModel):
    """A policy set, and the past plans to evaluate it over.

    Of `draft` and `policy_set_uri` name one; of `workspaces` and `tag` at most one, and with neither the whole
    organization is meant.
    """

    model_config = ConfigDict(extra="forbid")

    draft: Draft | None = None
    policy_set_uri: str | None = Field(
        None, min_length=1, max_length=500, description="A policy set as attachments name it, read as it is now."
    )
    enforcement_level: EnforcementLevel = "hard-mandatory"
    waives_unevaluable: bool = Field(False, description="As on an attachment; allowed on `advisory` only.")
    workspaces: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=200, description="Ids or names."
    )
    tag: str | None = Field(None, min_length=1, max_length=100, description="Workspaces that have this tag now.")
    last: int = Field(100, ge=1, le=MOST_PLANS, description="How many plans, newest first, over all those workspaces.")


class RehearsalOut(BaseModel):
    """A rehearsal: what is rehearsed, how far it is, and what came out so far."""

    id: str
    status: RehearsalStatus
    status_reason: str | None = Field(description="Why it ended before its time, in words.")
    policy_set_uri: str | None = Field(description="Null for a draft.")
    files: list[str]
    bundle_digest: str
    enforcement_level: EnforcementLevel
    waives_unevaluable: bool
    workspaces: list[WorkspaceRef] = Field(description="Empty with a tag, and where the whole organization is meant.")
    tag: str | None
    last: int
    total: int = Field(description="Plans that were found, those that are not kept any more included.")
    done: int
    removed: int = Field(description="Of those done: their plan is not kept any more, so nothing is said of them.")
    newly_blocked: int = Field(description="Plans that passed then and would be blocked.")
    would_block: int = Field(description="Plans that would be blocked, those that were blocked then included.")
    would_warn: int = Field(description="Plans that would pass, with something said.")
    would_pass: int
    not_evaluable: int = Field(description="Plans that the policy set can't be evaluated over, whatever follows.")
    seconds: float | None = Field(description="From its start to its end, or until now; null before.")
    plans_per_second: float | None
    policy_engine: str | None
    assumptions: list[str] = Field(description="What of the plans' input is not as it was then.")
    created_by: WhoOut
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RehearsalResultOut(BaseModel):
    """What the policy set says about one plan, beside what the policies of then said."""

    run_id: str
    workspace: WorkspaceRef
    kind: str
    planned_at: datetime
    effect: Effect = Field(
        description="`newly_blocks`: it passed then, and would be blocked. `removed`: the plan is not kept any more."
    )
    newly_blocks: bool
    outcome: Outcome | None
    verdict: Verdict | None = Field(description="What this policy set alone would have made of the plan.")
    verdict_then: Verdict | None = Field(description="What the policies that were attached then made of it.")
    findings: list[Finding]
    error: str | None
    duration_ms: int | None


class EvaluationIn(BaseModel):
    """A policy set, and the input to evaluate it over.

    Of `files` (a draft) and `policy_set_uri` name one, and of `run_id` and `input`.
    """

    model_config = ConfigDict(extra="forbid")

    files: dict[FileName, str] | None = Field(
        None, min_length=1, description="Rego files of a draft, name to text.", repr=False
    )
    data: str | None = Field(None, description="The draft's `data.json`, as text.", repr=False)
    policy_set_uri: str | None = Field(
        None, min_length=1, max_length=500, description="A policy set as attachments name it, read as it is now."
    )
    run_id: str | None = Field(None, max_length=200, description="A run whose stored plan is the input.")
    input: dict[str, Any] | None = Field(None, description="An input document of one's own.", repr=False)


class DraftProblem(BaseModel):
    """One thing that is wrong with a draft, and where. `file` is null when it is no single file's."""

    file: str | None
    line: int | None
    message: str


class EvaluationOut(BaseModel):
    """What a policy set says about one input. `problems` takes `error` apart, by file and line."""

    outcome: Outcome
    findings: list[Finding]
    error: str | None
    problems: list[DraftProblem]
    values: dict[str, Any] = Field(description="What the rules gave, by `package/rule`; undefined ones are absent.")
    policy_engine: str
    duration_ms: int
    assumptions: list[str] = Field(description="What of a run's input is not as it was then; empty with one's own.")
