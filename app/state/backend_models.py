"""Rows of the managed backend: a run's credentials, and the lock ids that engines bring along."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformRunCredential(OrganizationOwned, Created, Base):
    """What a run's engine shows to the managed backend: good for one run, one workspace and one phase.

    Only the secret's SHA-256 is kept. ``revoked_at``: the run has quiesced.
    """

    __tablename__ = "terraform_run_credentials"
    __table_args__ = (CheckConstraint("phase in ('plan', 'apply')", name="phase"),)

    id: Mapped[Id]
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[str] = mapped_column(index=True)
    phase: Mapped[str]
    secret_hash: Mapped[str] = mapped_column(unique=True)
    holder: Mapped[dict[str, Any]]
    revoked_at: Mapped[datetime | None]


class TerraformEngineLock(OrganizationOwned, Base):
    """The lock that an engine took over the protocol, noted beside the state lock that it lies under; gone with it.

    ``owns_state_lock``: a person's LOCK took the state lock too, so that its UNLOCK gives both back; under a run's
    lock, or one that a person took by hand, it gives back the note alone.
    """

    __tablename__ = "terraform_engine_locks"

    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_state_locks.workspace_id", ondelete="CASCADE"), primary_key=True
    )
    lock_id: Mapped[str]
    info: Mapped[dict[str, Any]]
    owns_state_lock: Mapped[bool]
    noted_at: Mapped[datetime]
