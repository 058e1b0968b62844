"""Rows of recovery lists: what an apply that did not end well may have left, and no state knows."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class RecoveryList(OrganizationOwned, Created, Base):
    """The recovery list of one apply.

    ``wanted`` rises with everything that becomes known of the apply, ``built`` is how far the items go. ``steps``
    (sealed) is what its runner said that the engine had begun; null when nobody could tell. ``checked_version_id`` is
    the state version that the open items were last compared with.
    """

    __tablename__ = "terraform_recovery_lists"
    __table_args__ = (
        Index("ix_recovery_lists_due", "run_id", postgresql_where=text("built < wanted or open_items > 0")),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("terraform_runs.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), index=True)
    wanted: Mapped[int] = mapped_column(default=0)
    built: Mapped[int] = mapped_column(default=0)
    open_items: Mapped[int] = mapped_column(default=0)
    evidence: Mapped[str] = mapped_column(default="none")
    steps: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    checked_version_id: Mapped[str | None]
    failure: Mapped[str | None]


class RecoveryItem(OrganizationOwned, Created, Base):
    """One resource of a recovery list. ``sealed`` holds its address, its id and what else is said about it."""

    __tablename__ = "terraform_recovery_items"
    __table_args__ = (
        CheckConstraint("status in ('open', 'resolved', 'dismissed')", name="status"),
        Index("ix_recovery_items_run", "run_id", "id"),
        Index("ix_recovery_items_open", "workspace_id", postgresql_where=text("status = 'open'")),
    )

    id: Mapped[Id]
    run_id: Mapped[str] = mapped_column(ForeignKey("terraform_recovery_lists.run_id", ondelete="CASCADE"))
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"))
    outcome: Mapped[str]
    status: Mapped[str] = mapped_column(default="open")
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    decision_reason: Mapped[str | None]
    state_version_id: Mapped[str | None]
