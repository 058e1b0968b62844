"""The public vocabulary of configurations."""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from app.configurations.interface import ModuleInterface, OutputInfo, VariableInfo, is_single_expression
from app.core.artifacts import ArtifactRef

__all__ = [
    "ConfigurationOut",
    "ConfigurationStored",
    "ConfigurationView",
    "ModuleInterface",
    "NamesCode",
    "OutputInfo",
    "VariableInfo",
    "is_single_expression",
]


class NamesCode(Protocol):
    """What names the code of a stack: a spec, seen from below. ``operator_module`` is a path below the modules."""

    @property
    def module_source(self) -> str | None:
        """Where the module comes from, as written."""

    @property
    def operator_module(self) -> str | None:
        """The module's path, relative to the operator's modules; None for any other source."""

    @property
    def module_digest(self) -> str | None:
        """What `module_source` is pinned to."""

    @property
    def configuration_digest(self) -> str | None:
        """Digest of an uploaded configuration."""


class ConfigurationView(BaseModel):
    """A configuration as people see it."""

    id: str
    digest: str = Field(description="SHA-256 of its content: each file's path, executable bit and SHA-256.")
    source: str = Field(description="`upload`, or the operator's module that it was read from.")
    size_bytes: int = Field(description="Size of the packed archive.")
    file_count: int
    created_at: datetime
    removed_at: datetime | None = Field(
        None, description="When its files were removed, since nothing needed them; the same upload brings them back."
    )


class ConfigurationStored(ConfigurationView):
    """The answer to an upload. ``created`` is false when the same content was there before."""

    created: bool


class ConfigurationOut(ConfigurationView):
    """A configuration as other slices see it, with where its archive lies."""

    model_config = ConfigDict(frozen=True)

    organization_id: str
    archive: ArtifactRef
    created: bool = False

    def stored(self) -> ConfigurationStored:
        """Return the answer to an upload."""
        return ConfigurationStored.model_validate(self.model_dump(exclude={"organization_id", "archive"}))

    def view(self) -> ConfigurationView:
        """Return what people see."""
        return ConfigurationView.model_validate(self.model_dump(exclude={"organization_id", "archive", "created"}))
