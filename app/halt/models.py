"""Rows of halts, of the calls that fan them out, and of drills."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class Halt(Created, Base):
    """One halt: who stopped what, why, and when it was resumed. ``scope_id`` is the fence that it raised.

    ``origin_id`` is the id that came with it, from the system that fanned it out to us.
    """

    __tablename__ = "terraform_halts"
    __table_args__ = (
        Index("ix_terraform_halts_origin_id", "origin_id", postgresql_where=text("origin_id is not null")),
        Index("ix_terraform_halts_created_at", "created_at"),
    )

    id: Mapped[Id]
    organization_id: Mapped[str | None] = mapped_column(index=True)
    scope: Mapped[str]
    scope_id: Mapped[str]
    reason: Mapped[str]
    latch: Mapped[bool]
    actor: Mapped[dict[str, Any]]
    runs_marked: Mapped[dict[str, Any]]
    resumed_at: Mapped[datetime | None]
    resumed_by: Mapped[dict[str, Any] | None]
    resume_reason: Mapped[str | None]
    origin_id: Mapped[str | None]


class HaltCall(Created, Base):
    """The call of one sibling system for one halt. ``claimed_until``: until then whoever tries it has it alone."""

    __tablename__ = "terraform_halt_calls"
    __table_args__ = (
        CheckConstraint("status in ('pending', 'answered', 'failed', 'timed_out')", name="status"),
        Index("uq_halt_calls_name", "halt_id", "name", unique=True),
        Index("ix_halt_calls_pending", "created_at", postgresql_where=text("status = 'pending'")),
    )

    id: Mapped[Id]
    halt_id: Mapped[str] = mapped_column(ForeignKey("terraform_halts.id", ondelete="CASCADE"))
    name: Mapped[str]
    url: Mapped[str]
    status: Mapped[str] = mapped_column(default="pending")
    http_status: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    detail: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class HaltDrill(OrganizationOwned, Created, Base):
    """One proof that the switch works. ``steps``: what was done, in order, how long it took, and what was seen."""

    __tablename__ = "terraform_halt_drills"
    __table_args__ = (
        CheckConstraint("status in ('running', 'passed', 'failed')", name="status"),
        Index("ix_halt_drills_organization", "organization_id", "id"),
        Index("uq_halt_drills_running", "workspace_id", unique=True, postgresql_where=text("status = 'running'")),
    )

    id: Mapped[Id]
    workspace_id: Mapped[str]
    workspace_name: Mapped[str]
    actor: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(default="running")
    run_id: Mapped[str | None]
    halt_id: Mapped[str | None]
    steps: Mapped[list[Any]] = mapped_column(default=list)
    failed_step: Mapped[str | None]
    detail: Mapped[str | None]
    beat_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
