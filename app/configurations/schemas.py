"""The public vocabulary of configurations."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.configurations.interface import ModuleInterface, OutputInfo, VariableInfo
from app.core.artifacts import ArtifactRef

__all__ = [
    "ConfigurationOut",
    "ConfigurationStored",
    "ConfigurationView",
    "ModuleInterface",
    "OutputInfo",
    "VariableInfo",
]


class ConfigurationView(BaseModel):
    """A configuration as people see it."""

    id: str
    digest: str = Field(description="SHA-256 of its content: each file's path, executable bit and SHA-256.")
    source: str = Field(description="`upload`, `rendered`, or the operator's module that it was read from.")
    size_bytes: int = Field(description="Size of the packed archive.")
    file_count: int
    created_at: datetime


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
