"""Outputs of one workspace as inputs of another, as people and programs see them."""

from pydantic import BaseModel, ConfigDict, Field


class Reader(BaseModel):
    """A workspace that may read the outputs."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str


class OutputSharing(BaseModel):
    """Which workspaces of the organization may read a workspace's outputs, sensitive ones too, as their inputs."""

    everyone: bool = Field(description="Every workspace of the organization may")
    readers: list[Reader]


class OutputSharingIn(BaseModel):
    """Which workspaces may read the outputs. What is left out may not."""

    model_config = ConfigDict(extra="forbid")

    everyone: bool = Field(False, description="Every workspace of the organization may")
    readers: list[str] = Field(default=[], max_length=500, description="Names or ids of workspaces")
