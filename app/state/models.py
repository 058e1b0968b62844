"""Rows of state versions and their pieces, state locks, quarantined states and retention."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned

_MAYBE_JSON = JSONB(none_as_null=True)


class TerraformStateVersion(OrganizationOwned, Created, Base):
    """A state as an engine left it, immutable. ``number`` counts a workspace's versions from 1.

    ``manifest`` (sealed) names the pieces that content, resource list and outputs are made of. Versions from before
    there were pieces have ``artifact``, ``outputs_artifact`` and ``resources`` instead. ``pruned_at``: retention let
    go of the content; what is said about it stays.
    """

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
    manifest: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    artifact: Mapped[dict[str, Any] | None] = mapped_column(_MAYBE_JSON)
    outputs_artifact: Mapped[dict[str, Any] | None] = mapped_column(_MAYBE_JSON)
    resources: Mapped[list[Any] | None] = mapped_column(_MAYBE_JSON, deferred=True)
    resource_count: Mapped[int]
    created_by: Mapped[dict[str, Any]]
    pruned_at: Mapped[datetime | None]


class TerraformStateChunk(OrganizationOwned, Created, Base):
    """One piece of a workspace's states, compressed and sealed; ``id`` is a keyed digest of its content.

    With ``base_id`` it is stored as the difference to that piece, which is never a difference itself.
    """

    __tablename__ = "terraform_state_chunks"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    base_id: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class TerraformStateKey(OrganizationOwned, Created, Base):
    """The key of a workspace's piece ids, sealed: without it, an id says nothing about what a piece holds."""

    __tablename__ = "terraform_state_keys"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class TerraformStateRetention(OrganizationOwned, Base):
    """How long a workspace keeps the content of old state versions; null and no row keep everything."""

    __tablename__ = "terraform_state_retention"
    __table_args__ = (
        CheckConstraint("keep_versions >= 1", name="keep_versions"),
        CheckConstraint("keep_days >= 1", name="keep_days"),
    )

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    keep_versions: Mapped[int | None]
    keep_days: Mapped[int | None]


class TerraformOutputSharing(OrganizationOwned, Base):
    """Which workspaces may take a workspace's outputs as inputs; no row is none."""

    __tablename__ = "terraform_output_sharing"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    everyone: Mapped[bool]
    reader_ids: Mapped[list[str]]


class TerraformStateLock(OrganizationOwned, Base):
    """The lock of a workspace's state.

    ``kind`` run: the owner is a run's id, a value; manual: who is in ``holder``. ``orphaned_at``: the holding run is
    proven dead.
    """

    __tablename__ = "terraform_state_locks"
    __table_args__ = (
        CheckConstraint("(kind = 'run' and run_id is not null) or (kind = 'manual' and run_id is null)", name="owner"),
    )

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(server_default="run")
    run_id: Mapped[str | None] = mapped_column(index=True)
    fencing_token: Mapped[int]
    holder: Mapped[dict[str, Any]]
    reason: Mapped[str]
    acquired_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    orphaned_at: Mapped[datetime | None]


class TerraformQuarantinedState(OrganizationOwned, Created, Base):
    """A state that could not become a version, kept as it came, until a person adopts or discards it.

    ``serial`` and ``lineage`` are null when it could not be read. ``manifest`` is null once it is decided.
    """

    __tablename__ = "terraform_quarantined_states"
    __table_args__ = (CheckConstraint("status in ('held', 'adopted', 'discarded')", name="status"),)

    id: Mapped[Id]
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[str | None]
    kind: Mapped[str]
    code: Mapped[str]
    reason: Mapped[str]
    serial: Mapped[int | None]
    lineage: Mapped[str | None]
    digest: Mapped[str]
    size_bytes: Mapped[int]
    manifest: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_by: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(default="held")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[dict[str, Any] | None] = mapped_column(_MAYBE_JSON)
    decision_reason: Mapped[str | None]
    state_version_id: Mapped[str | None]
