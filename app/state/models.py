"""Rows of state versions and state locks."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformStateVersion(OrganizationOwned, Created, Base):
    """A state as an engine left it, immutable. ``number`` counts a workspace's versions from 1."""

    __tablename__ = "terraform_state_versions"
    __table_args__ = (Index("uq_state_versions_number", "workspace_id", "number", unique=True),)

    id: Mapped[Id]
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"))
    run_id: Mapped[str | None] = mapped_column(index=True)
    number: Mapped[int]
    kind: Mapped[str]
    serial: Mapped[int]
    lineage: Mapped[str]
    digest: Mapped[str]
    size_bytes: Mapped[int]
    engine_version: Mapped[str]
    artifact: Mapped[dict[str, Any]]
    outputs_artifact: Mapped[dict[str, Any]]
    resources: Mapped[list[Any]]
    resource_count: Mapped[int]
    created_by: Mapped[dict[str, Any]]


class TerraformStateLock(OrganizationOwned, Base):
    """The lock of a workspace's state. The owner is a run's id, a value. ``orphaned_at``: the holder is proven dead."""

    __tablename__ = "terraform_state_locks"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    run_id: Mapped[str] = mapped_column(index=True)
    fencing_token: Mapped[int]
    holder: Mapped[dict[str, Any]]
    reason: Mapped[str]
    acquired_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    orphaned_at: Mapped[datetime | None]
