"""``TerraformStackSpec``: what it holds, how it is read and how it is hashed.

A spec's hash is ``v<schema version>:`` and the SHA-256 of its canonical JSON (RFC 8785) without fields that have their
default, so that a field added later changes no old hash. Within a schema version a default never changes.
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.core.canonical import canonical_json, sha256_hex
from app.specs.errors import SpecInvalid
from app.specs.module_source import ModuleSource, parse_module_source
from app.specs.reading import read_document
from app.specs.rules import (
    DIGEST_PATTERN,
    check_module_path,
    check_name,
    check_outputs,
    check_secrets,
    check_tags,
    check_text,
    check_value,
    input_name_problem,
    line,
    parse_version_constraint,
    refuse,
)

SCHEMA_VERSION = 1

TERRAFORM_MODULE_KINDS: Mapping[str, str] = {
    "generic": "Any module by `module_source`, or an uploaded configuration, with its inputs.",
}
"""The kinds of stack. Each has a template ``codegen/templates/<kind>.tf.j2``; a test holds the two together."""


def version_constraint(text: str) -> str:
    """Return a version constraint, written one way. Raises a validation error that names the wrong part."""
    try:
        parse_version_constraint(text)
    except ValueError as error:
        raise refuse(str(error)) from None
    return ", ".join(" ".join(part.split()) for part in text.split(","))


class EngineConstraint(BaseModel):
    """Which engine a stack needs. ``any`` takes the worker's first: tofu, then terraform."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: Literal["any", "tofu", "terraform"] = Field("any", description="Engine: tofu, terraform or any.")
    version: str | None = Field(None, max_length=200, description="Version constraint, such as '>= 1.6, < 2'.")

    @field_validator("version")
    @classmethod
    def _version(cls, value: str | None) -> str | None:
        return None if value is None else version_constraint(value)


class TerraformStackSpec(BaseModel):
    """What a stack is: the code by reference, its inputs and its engine. Immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(1, description="Version of this format.")
    name: Annotated[str, Field(description="Name of the stack, unique in the organization.")]
    kind: str = Field("generic", description="Kind of stack; decides the template.")
    description: str = Field("", max_length=2000, description="What the stack is for.")
    tags: list[str] = Field(default_factory=list, description="Words to find it by.")
    module_source: str | None = Field(
        None, description="Module: a directory below the operator's modules, a registry module or a git address."
    )
    module_digest: str | None = Field(
        None, description="Digest that `module_source` is pinned to; filled in when the spec is pushed."
    )
    configuration_digest: str | None = Field(None, description="Digest of an uploaded configuration.")
    module_path: str = Field("", description="Directory of the root module inside an uploaded configuration.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="Values of the module's variables.")
    engine: EngineConstraint = Field(default_factory=EngineConstraint, description="Which engine it needs.")
    secret_mappings: dict[str, str] = Field(
        default_factory=dict,
        description="Input name to a reference to a secret, resolved for the run only; `variable:KEY` is a sensitive "
        "variable of the workspace.",
    )
    output_mappings: dict[str, str] = Field(
        default_factory=dict,
        description="Input name to an output of another workspace, `workspace:NAME.OUTPUT`, read when a run is "
        "claimed. A workspace's own variable of the input's name wins.",
    )

    hash_prefix: ClassVar[str] = f"v{SCHEMA_VERSION}:"

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("kind")
    @classmethod
    def _kind(cls, value: str) -> str:
        if value not in TERRAFORM_MODULE_KINDS:
            raise refuse(f"{value[:80]!r} is not a kind of stack; choose one of: {', '.join(TERRAFORM_MODULE_KINDS)}")
        return value

    @field_validator("description")
    @classmethod
    def _description(cls, value: str) -> str:
        check_text(value)
        return value

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: list[str]) -> list[str]:
        return check_tags(value)

    @field_validator("module_source")
    @classmethod
    def _module_source(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_module_source(value)
            except ValueError as error:
                raise refuse(str(error)) from None
        return value

    @field_validator("module_digest", "configuration_digest")
    @classmethod
    def _digest(cls, value: str | None) -> str | None:
        if value is not None and not DIGEST_PATTERN.fullmatch(value):
            raise refuse("is not a digest: write the 64 hexadecimal digits that the upload answered with")
        return value

    @field_validator("module_path")
    @classmethod
    def _module_path(cls, value: str) -> str:
        return check_module_path(value)

    @field_validator("inputs", mode="wrap")
    @classmethod
    def _inputs(cls, value: Any, handler: Any) -> dict[str, Any]:
        inputs: dict[str, Any] = handler(value)
        problems: list[Any] = []
        for name, item in inputs.items():
            problem = input_name_problem(name)
            if problem is not None:
                problems.append(line((name,), problem, item))
            check_value(item, (name,), problems, 1)
        if problems:
            raise ValidationError.from_exception_data("inputs", problems)
        return inputs

    @field_validator("secret_mappings")
    @classmethod
    def _secrets(cls, value: dict[str, str]) -> dict[str, str]:
        return check_secrets(value)

    @field_validator("output_mappings")
    @classmethod
    def _outputs(cls, value: dict[str, str]) -> dict[str, str]:
        return check_outputs(value)

    @model_validator(mode="after")
    def _one_source(self) -> "TerraformStackSpec":
        if self.module_source is not None and self.configuration_digest is not None:
            raise refuse("module_source and configuration_digest exclude each other: keep one of them")
        if self.module_digest is not None and self.module_source is None:
            raise refuse("module_digest pins a module_source: remove it, or write configuration_digest instead")
        if self.module_path and self.module_source is not None:
            raise refuse("module_path is for uploaded configurations: put the directory into module_source")
        both = sorted(self.inputs.keys() & self.secret_mappings.keys())
        if both:
            raise refuse(f"{', '.join(both)}: given as input and as secret mapping; keep one of them")
        both = sorted(self.output_mappings.keys() & (self.inputs.keys() | self.secret_mappings.keys()))
        if both:
            raise refuse(f"{', '.join(both)}: given as output mapping and as input or secret mapping; keep one of them")
        return self

    @property
    def source(self) -> ModuleSource | None:
        """``module_source`` taken apart; None when the configuration is an upload."""
        return parse_module_source(self.module_source) if self.module_source is not None else None

    @property
    def pinned_digest(self) -> str | None:
        """Digest of the configuration that holds the code; None for a stack whose code comes with each upload."""
        return self.module_digest or self.configuration_digest

    @property
    def operator_module(self) -> str | None:
        """The module's path, relative to the operator's modules; None for an upload and for remote sources."""
        return self.source.path if self.source is not None else None

    def with_configuration(self, digest: str) -> "TerraformStackSpec":
        """Return a copy whose code is the uploaded configuration of that digest; all else is kept."""
        changed = {"configuration_digest": digest, "module_source": None, "module_digest": None}
        return self.model_copy(update=changed)

    def engine_request(self, workspace_kind: str | None = None, workspace_version: str | None = None) -> dict[str, Any]:
        """Return which engine a run needs, as ``kind`` and ``version_constraint``.

        The spec's kind wins; the workspace's version holds beside the spec's, unless it is meant for another kind.
        """
        kind = workspace_kind if self.engine.kind == "any" else self.engine.kind
        pinned = workspace_version if workspace_kind in (None, kind) else None
        both = [constraint for constraint in (self.engine.version, pinned) if constraint]
        return {"kind": kind, "version_constraint": ", ".join(both) or None}

    def document(self) -> dict[str, Any]:
        """Return the hashed form: plain JSON, with the schema version and name, without what has its default."""
        return {
            "schema_version": self.schema_version,
            "name": self.name,
            **self.model_dump(mode="json", exclude_defaults=True),
        }

    def canonical(self) -> bytes:
        """Return the hashed form as canonical JSON."""
        return canonical_json(self.document())

    @property
    def hash(self) -> str:
        """The spec's hash: ``v1:`` and 64 hexadecimal digits."""
        return self.hash_prefix + sha256_hex(self.canonical())


MODULES_PREFIX = "modules"
"""Directory that the operator's modules directory becomes inside a configuration."""


def root_directory(spec: TerraformStackSpec) -> str:
    """Return the directory, inside the configuration, of the module that ``spec`` names ('' is the top)."""
    path = spec.operator_module
    return f"{MODULES_PREFIX}/{path}" if path is not None else spec.module_path


def parse_spec(data: bytes) -> TerraformStackSpec:
    """Read a spec from YAML or JSON text.

    Raises ``SpecUnreadable``, ``SpecTooLarge``, or ``SpecInvalid`` whose ``errors`` name each field and the remedy.
    """
    return validate_spec(read_document(data))


def validate_spec(value: Any) -> TerraformStackSpec:
    """Return ``value`` (parsed JSON) as a spec. Raises ``SpecInvalid``, as ``parse_spec`` does."""
    if not isinstance(value, dict):
        raise _invalid(
            [{"field": "spec", "message": "must be an object with `name` and, for example, `module_source`"}]
        )
    version = value.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        message = f"{version!r} is not known here: this version of Sluice reads schema_version {SCHEMA_VERSION}"
        raise _invalid([{"field": "schema_version", "message": message}])
    try:
        return TerraformStackSpec.model_validate(value)
    except ValidationError as error:
        raise _invalid([_problem(item) for item in error.errors(include_url=False)]) from None


def _invalid(errors: list[dict[str, str]]) -> SpecInvalid:
    return SpecInvalid("; ".join(f"{item['field']}: {item['message']}" for item in errors) + ".", errors=errors)


def field_path(location: tuple[int | str, ...]) -> str:
    """Return a location as people write it: ``inputs.subnets[0].cidr``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "spec"


def _problem(item: Any) -> dict[str, str]:
    location = tuple(item["loc"])
    if item["type"] == "extra_forbidden":
        known = [*EngineConstraint.model_fields] if location[0] == "engine" else [*TerraformStackSpec.model_fields]
        near = difflib.get_close_matches(str(location[-1]), known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"the fields are: {', '.join(known)}"
        return {"field": field_path(location), "message": f"is not a field of a spec; {hint}"}
    if item["type"] == "missing":
        return {"field": field_path(location), "message": "is required: add it"}
    message = str(item["msg"])
    if item["type"].endswith("_type"):
        message += f"; got {type(item['input']).__name__}"
    return {"field": field_path(location), "message": message}
