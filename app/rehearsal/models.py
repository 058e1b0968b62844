"""Rows of rehearsals, and of what a draft says about each plan."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned

LIVE = ("queued", "running")


class Rehearsal(OrganizationOwned, Created, Base):
    """A draft policy set (``bundle``) that is evaluated over past plans, one result row each.

    The counts are taken from the result rows whenever some are filled in, so that no plan counts twice. While
    ``lease_expires_at`` lies ahead a worker evaluates a batch; ``attempts`` counts the batches begun since the last one
    that was kept.
    """

    __tablename__ = "terraform_rehearsals"
    __table_args__ = (
        CheckConstraint("status in ('queued', 'running', 'finished', 'errored', 'cancelled')", name="status"),
        CheckConstraint(
            "enforcement_level in ('advisory', 'soft-mandatory', 'hard-mandatory')", name="enforcement_level"
        ),
        Index("ix_rehearsals_organization", "organization_id", "id"),
        Index("ix_rehearsals_live", "organization_id", "id", postgresql_where=text("status in ('queued', 'running')")),
        Index("ix_rehearsals_created", "created_at"),
    )

    id: Mapped[Id]
    created_by: Mapped[dict[str, Any]]
    policy_set_uri: Mapped[str | None]
    files: Mapped[list[str]]
    bundle: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    bundle_digest: Mapped[str]
    enforcement_level: Mapped[str]
    waives_unevaluable: Mapped[bool] = mapped_column(default=False)
    workspaces: Mapped[list[Any]]
    tag: Mapped[str | None]
    last: Mapped[int]
    status: Mapped[str]
    status_reason: Mapped[str | None]
    policy_engine: Mapped[str | None]
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    newly_blocked: Mapped[int] = mapped_column(default=0)
    would_block: Mapped[int] = mapped_column(default=0)
    would_warn: Mapped[int] = mapped_column(default=0)
    not_evaluable: Mapped[int] = mapped_column(default=0)
    busy_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    late: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RehearsalResult(OrganizationOwned, Base):
    """One plan of a rehearsal: chosen when it was asked for, filled in once (``effect`` is null until then).

    ``position`` counts from 0, newest plan first. ``place`` is the order of the answer: by effect, then position.
    """

    __tablename__ = "terraform_rehearsal_results"
    __table_args__ = (
        Index("uq_rehearsal_results_place", "rehearsal_id", "place", unique=True),
        Index("ix_rehearsal_results_open", "rehearsal_id", "position", postgresql_where=text("effect is null")),
    )

    rehearsal_id: Mapped[str] = mapped_column(
        ForeignKey("terraform_rehearsals.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(nullable=True)
    run_id: Mapped[str]
    workspace_id: Mapped[str]
    workspace_name: Mapped[str]
    kind: Mapped[str]
    planned_at: Mapped[datetime]
    verdict_then: Mapped[str | None]
    effect: Mapped[str | None]
    outcome: Mapped[str | None]
    verdict: Mapped[str | None]
    findings: Mapped[list[Any]] = mapped_column(default=list)
    error: Mapped[str | None]
    duration_ms: Mapped[int | None]
