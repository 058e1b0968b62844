"""An import from HCP Terraform, as people and programs ask for it and see it."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from app.state.schemas import StateVersionOut
from app.workspaces.schemas import VariableKind

_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")


class HcpImportRequest(BaseModel):
    """Which workspace to import, and the token to read it with, which is used for this request and kept nowhere."""

    model_config = ConfigDict(extra="forbid")

    organization: str = Field(min_length=1, max_length=200, description="Organization in HCP Terraform")
    workspace: str = Field(min_length=1, max_length=200, description="Name of the workspace there")
    token: SecretStr = Field(description="API token of HCP Terraform that may read the workspace's state")
    address: str | None = Field(
        None, max_length=300, description="Address of Terraform Enterprise; null is the installation's own setting"
    )
    with_variables: bool = Field(True, description="Set its variables here too, as far as they can be read")

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("holds characters that no token has: copy it again, whole and alone")
        return value


class HcpSource(BaseModel):
    """Where a state was imported from."""

    address: str
    organization: str
    workspace: str
    workspace_id: str
    state_version_id: str
    serial: int
    is_locked: bool = Field(
        description="Whether the workspace was locked there; lock it, so that nothing changes twice"
    )


class ImportedVariable(BaseModel):
    """What became of a variable of the workspace there; ``reason`` says why it was not set."""

    key: str
    kind: VariableKind
    outcome: Literal["set", "kept", "to_set_by_hand", "refused"]
    reason: str | None


class HcpImportOut(BaseModel):
    """What an import from HCP Terraform brought in."""

    state_version: StateVersionOut
    source: HcpSource
    variables: list[ImportedVariable]
