"""What HCP Terraform's API gives and takes, as far as Sluice uses it. Names are its own, with underscores."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class HcpResource(BaseModel):
    """Base of its resources: JSON:API's ``id``, its ``attributes`` flattened, unknown ones left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=_kebab, populate_by_name=True)

    id: str


class HcpOrganization(HcpResource):
    """An organization; its id is its name."""

    name: str
    email: str | None = None
    created_at: datetime | None = None


class HcpWorkspace(HcpResource):
    """A workspace."""

    name: str
    description: str | None = None
    locked: bool = False
    auto_apply: bool = False
    execution_mode: str | None = None
    terraform_version: str | None = None
    working_directory: str | None = None
    resource_count: int | None = None
    tag_names: list[str] = []
    created_at: datetime | None = None


class HcpRun(HcpResource):
    """A run. ``policy_override`` is a waiting status, ``policy_soft_failed`` a final one."""

    status: str
    message: str | None = None
    source: str | None = None
    is_destroy: bool = False
    has_changes: bool | None = None
    plan_only: bool = False
    created_at: datetime | None = None


class HcpStateVersion(HcpResource):
    """A state version. The download address carries its own permission: it is as secret as the state."""

    serial: int
    status: str | None = None
    size: int | None = None
    terraform_version: str | None = None
    hosted_state_download_url: str | None = Field(None, repr=False)
    created_at: datetime | None = None


class HcpConfigurationVersion(HcpResource):
    """A configuration version; ``upload_url`` is there until something was uploaded to it."""

    status: str
    source: str | None = None
    auto_queue_runs: bool = False
    speculative: bool = False
    error: str | None = None
    error_message: str | None = None
    upload_url: str | None = Field(None, repr=False)


class HcpVariable(HcpResource):
    """A workspace's variable. A sensitive one's value is null."""

    key: str
    value: str | None = Field(None, repr=False)
    category: Literal["terraform", "env"]
    description: str | None = None
    hcl: bool = False
    sensitive: bool = False


class HcpAttributes(BaseModel):
    """Base of what is sent: only what is set goes out."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_kebab, populate_by_name=True)

    def attributes(self) -> dict[str, Any]:
        """Return JSON:API's attributes."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class HcpWorkspaceIn(HcpAttributes):
    """A workspace to create or change."""

    name: str | None = None
    description: str | None = None
    auto_apply: bool | None = None
    execution_mode: Literal["remote", "local", "agent"] | None = None
    terraform_version: str | None = None
    working_directory: str | None = None


class HcpRunIn(HcpAttributes):
    """A run to request."""

    message: str | None = None
    is_destroy: bool | None = None
    refresh_only: bool | None = None
    plan_only: bool | None = None
    auto_apply: bool | None = None


class HcpConfigurationVersionIn(HcpAttributes):
    """A configuration version to create."""

    auto_queue_runs: bool | None = None
    speculative: bool | None = None


class HcpVariableIn(HcpAttributes):
    """A variable to create or change."""

    key: str | None = None
    value: str | None = Field(None, repr=False)
    category: Literal["terraform", "env"] | None = None
    description: str | None = None
    hcl: bool | None = None
    sensitive: bool | None = None
