"""The vocabulary of stacks: what goes in and out, and the spec and its rules, for the other slices."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.specs.rules import check_name, input_name_problem, split_output_reference, text_problem
from app.specs.spec import (
    TERRAFORM_MODULE_KINDS,
    TerraformStackSpec,
    parse_spec,
    root_directory,
    validate_spec,
    version_constraint,
)

__all__ = [
    "TERRAFORM_MODULE_KINDS",
    "TerraformStackSpec",
    "check_name",
    "input_name_problem",
    "parse_spec",
    "root_directory",
    "split_output_reference",
    "text_problem",
    "validate_spec",
    "version_constraint",
]


class StackVersionSummary(BaseModel):
    """A spec version in one line."""

    id: str
    number: int | None
    hash: str
    created_at: datetime


class StackRef(BaseModel):
    """A stack by id and name, with the id of its latest pushed version."""

    id: str
    name: str
    latest_version_id: str | None


class StackOut(BaseModel):
    """A stack, its latest pushed version and how many workspaces follow it."""

    id: str
    name: str
    description: str
    latest_version: StackVersionSummary | None
    workspace_count: int
    created_at: datetime


class StackIn(BaseModel):
    """A new stack whose specs or uploads come later."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str = Field("", max_length=2000)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)


class Who(BaseModel):
    """Who did something."""

    id: str
    kind: str
    name: str


class SpecVersionOut(BaseModel):
    """One immutable version of a spec. ``number`` is null when it was never pushed."""

    id: str
    stack_id: str
    number: int | None
    hash: str
    schema_version: int
    message: str
    created_by: Who
    created_at: datetime
    document: dict[str, Any]

    def spec(self) -> TerraformStackSpec:
        """Return the document as a spec."""
        return validate_spec(self.document)


class PushAnswer(BaseModel):
    """What a push did: ``created`` is false when the latest version already had this content."""

    stack: StackOut
    version: SpecVersionOut
    created: bool


class Change(BaseModel):
    """One difference. ``path`` is a JSON pointer (RFC 6901) into the spec."""

    path: str
    op: Literal["add", "remove", "change"]
    before: Any = None
    after: Any = None


class SpecDiff(BaseModel):
    """What changed from version ``a`` to version ``b``."""

    a: str
    b: str
    changes: list[Change]
