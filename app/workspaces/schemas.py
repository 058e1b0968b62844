"""Workspaces and variables as people and programs see them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from app.core.events import Fact
from app.core.settings import StateBackend
from app.specs.schemas import check_name, version_constraint

VariableKind = Literal["terraform", "env"]
EngineKind = Literal["tofu", "terraform"]
EngineVersion = Annotated[str, StringConstraints(max_length=200), AfterValidator(version_constraint)]
Name = Annotated[
    str,
    AfterValidator(check_name),
    Field(description="Lower-case letters, digits, `-`, `_` and `.`; 1 to 90; begins and ends with a letter or digit"),
]
TAG = r"^[a-z0-9](?:[a-z0-9:._-]{0,48}[a-z0-9])?$"


def check_tag(tag: str) -> str:
    """Return the tag. Raises ``ValueError`` that says what a tag is made of."""
    if not re.fullmatch(TAG, tag):
        raise ValueError(
            f"{tag!r} is no tag: lower-case letters, digits, `:`, `.`, `_` and `-`; 1 to 50; begins and ends with a "
            "letter or digit"
        )
    return tag


Tag = Annotated[str, AfterValidator(check_tag), Field(json_schema_extra={"pattern": TAG})]
VariableKey = Annotated[str, StringConstraints(min_length=1, max_length=128)]
MAX_VALUE_LENGTH = 256 * 1024


class Named(BaseModel):
    """A thing with an id and a name."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str


class HeadRef(BaseModel):
    """The spec version that a plan without a wish of its own is made from."""

    id: str
    number: int | None
    hash: str


ConditionKind = Literal["deletes", "changes_over", "tag"]
ValiditySeconds = Annotated[int | None, Field(ge=60, le=90 * 24 * 3600)]
_BELONGS_TO = {"threshold": "changes_over", "tag": "tag"}


class ApprovalConditionIn(BaseModel):
    """When a plan needs more approvals than the workspace's rule says, and how many.

    `deletes`: it destroys or replaces anything. `changes_over`: it changes more than `threshold` resources. `tag`: a
    resource that changes carries `tag` before or after; what is not known of a plan counts as if it did.
    """

    model_config = ConfigDict(extra="forbid")

    when: ConditionKind
    threshold: Annotated[int | None, Field(ge=0, le=1_000_000, validate_default=True)] = Field(
        None, description="For `changes_over`: more than so many resources"
    )
    tag: Annotated[str | None, StringConstraints(min_length=1, max_length=500), Field(validate_default=True)] = Field(
        None, description="For `tag`: a key, or `key=value`"
    )
    required_approvals: Annotated[int, Field(ge=1, le=20)]
    approver_team_ids: Annotated[list[str], Field(max_length=20)] = Field(
        default=[], description="Teams whose members count; empty: whoever the workspace's rule counts"
    )

    @field_validator("threshold", "tag")
    @classmethod
    def _belongs_to_its_kind(cls, value: int | str | None, info: ValidationInfo) -> int | str | None:
        when, kind = info.data.get("when"), _BELONGS_TO[str(info.field_name)]
        if when == kind and value is None:
            raise ValueError(f"is needed where `when` is {kind}")
        if when is not None and when != kind and value is not None:
            raise ValueError(f"goes with `when` {kind} only, and this is {when}")
        if isinstance(value, str) and not value.partition("=")[0].strip():
            raise ValueError("has no key before the `=`; write `key` or `key=value`")
        return value


class ApprovalConditionOut(BaseModel):
    """A condition under which a plan needs more approvals, and how many."""

    when: ConditionKind
    threshold: int | None
    tag: str | None
    required_approvals: int
    approver_teams: list[Named]


Conditions = Annotated[list[ApprovalConditionIn], Field(max_length=20)]


class Rules(BaseModel):
    """A workspace's rules and settings, each with its default."""

    description: Annotated[str, StringConstraints(max_length=500)] = ""
    tags: Annotated[list[Tag], Field(max_length=30)] = []
    pinned_version_id: str | None = Field(None, description="Spec version to stay at; null follows the stack's head")
    required_approvals: Annotated[int, Field(ge=1, le=20)] = 1
    approver_team_ids: Annotated[list[str], Field(max_length=20)] = Field(
        default=[], description="Teams whose members may approve; empty: everyone with the permission"
    )
    requester_may_approve: bool = Field(False, description="True switches four-eyes off")
    approval_validity_seconds: ValiditySeconds = Field(None, description="How long an approval counts; null: for ever")
    approval_conditions: Conditions = Field(
        default=[], description="When a plan needs more approvals; each that holds is met by itself"
    )
    auto_apply: bool = Field(
        False,
        description="Apply without a person when policies pass, nothing is destroyed, and no condition asks for more",
    )
    auto_apply_allows_destroy: bool = False
    plan_max_age_seconds: Annotated[int | None, Field(ge=60, le=90 * 24 * 3600)] = Field(
        None, description="A plan that waits longer is superseded"
    )
    engine_kind: EngineKind | None = Field(None, description="Engine to use; null takes the worker's first")
    engine_version: EngineVersion | None = Field(
        None, description="Version of the engine, exact (1.12.6) or a constraint (~> 1.12); null takes any"
    )
    state_backend: StateBackend | None = Field(
        None, description="Where the state lies; null takes the installation's default, as it is now"
    )
    state_backend_settings: dict[str, JsonValue] = Field(
        default={}, description="The backend's settings (bucket, key, …); credentials are sensitive env variables"
    )


class NewWorkspace(Rules):
    """A workspace to create."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    stack: str = Field(description="Name or id of the stack")


class WorkspaceChange(BaseModel):
    """Settings to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Annotated[str, StringConstraints(max_length=500)] | None = None
    tags: Annotated[list[Tag], Field(max_length=30)] | None = None
    pinned_version_id: str | None = None
    required_approvals: Annotated[int, Field(ge=1, le=20)] | None = None
    approver_team_ids: Annotated[list[str], Field(max_length=20)] | None = None
    requester_may_approve: bool | None = None
    approval_validity_seconds: ValiditySeconds = None
    approval_conditions: Conditions | None = Field(None, description="Replaces all of them")
    auto_apply: bool | None = None
    auto_apply_allows_destroy: bool | None = None
    plan_max_age_seconds: Annotated[int | None, Field(ge=60, le=90 * 24 * 3600)] = None
    engine_kind: EngineKind | None = None
    engine_version: EngineVersion | None = None
    state_backend: StateBackend | None = Field(
        None, description="Only while the workspace has no state; null takes the installation's default"
    )
    state_backend_settings: dict[str, JsonValue] | None = Field(None, description="Replaces all of them")


class WorkspaceOut(BaseModel):
    """A workspace."""

    id: str
    organization_id: str
    name: str
    description: str
    tags: list[str]
    stack: Named
    head: HeadRef | None
    pinned_version_id: str | None
    required_approvals: int
    approver_teams: list[Named]
    requester_may_approve: bool
    approval_validity_seconds: int | None
    approval_conditions: list[ApprovalConditionOut]
    auto_apply: bool
    auto_apply_allows_destroy: bool
    plan_max_age_seconds: int | None
    engine_kind: EngineKind | None
    engine_version: str | None
    state_backend: StateBackend
    state_backend_settings: dict[str, JsonValue]
    created_at: datetime

    @property
    def is_state_here(self) -> bool:
        """Whether Sluice itself keeps the state; else it keeps copies of what lies elsewhere."""
        return self.state_backend in {"managed", "local"}


class WorkspaceFilter(BaseModel):
    """Which workspaces to list."""

    search: str | None = None
    tag: str | None = None
    stack_id: str | None = None


class VariableIn(BaseModel):
    """A variable's value and flags. A sensitive value can be written and never read."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[str, StringConstraints(max_length=MAX_VALUE_LENGTH)] = Field(repr=False)
    is_sensitive: bool = False
    is_hcl: bool = Field(False, description="The value is an expression (a list, a map, a number), not a string")
    description: Annotated[str, StringConstraints(max_length=500)] = ""


class VariableOut(BaseModel):
    """A variable. ``value`` is null when it is sensitive."""

    id: str
    key: str
    kind: VariableKind
    is_sensitive: bool
    is_hcl: bool
    description: str
    value: str | None
    version_id: str
    updated_at: datetime
    updated_by: dict[str, Any]


class ResolvedVariable(BaseModel):
    """A variable with its plain value, for a run's job only."""

    model_config = ConfigDict(frozen=True)

    version_id: str
    key: str
    kind: VariableKind
    value: str = Field(repr=False)
    sensitive: bool
    hcl: bool


@dataclass(frozen=True)
class VariablesMoved(Fact):
    """A variable was added, changed or removed."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class WorkspaceHeadMoved(Fact):
    """The workspace was pinned to another version, or unpinned."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class EnginePinChanged(Fact):
    """The workspace asks for another engine, or another version of it."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class ApprovalRulesChanged(Fact):
    """How many approvals it takes, by whom, how long they count, or when it takes more."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class TagsChanged(Fact):
    """The workspace's tags changed, and with them what policies judge it."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class StateBackendChanging(Fact):
    """The workspace's state is about to lie elsewhere; a subscriber refuses by raising."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class WorkspaceDeleting(Fact):
    """The workspace is about to be deleted; a subscriber refuses by raising."""

    organization_id: str
    workspace_id: str
