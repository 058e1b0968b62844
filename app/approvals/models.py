"""Rows of decisions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformApproval(OrganizationOwned, Created, Base):
    """One decision (approve, reject, revoke) of one person, or of the auto-apply rule, on one fingerprint."""

    __tablename__ = "terraform_approvals"
    __table_args__ = (Index("ix_terraform_approvals_run_id_id", "run_id", "id"),)

    id: Mapped[Id]
    run_id: Mapped[str]
    decision: Mapped[str]
    actor: Mapped[dict[str, Any]]
    actor_id: Mapped[str]
    actor_kind: Mapped[str]
    team_ids: Mapped[list[str]]
    fingerprint: Mapped[str]
    comment: Mapped[str]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None]


class TerraformOverride(OrganizationOwned, Created, Base):
    """One person's word that a plan may go on although soft-mandatory policy sets deny it. It is never removed.

    ``policy_sets`` are the sets that failed then: attachment, URI and bundle digest of each.
    """

    __tablename__ = "terraform_overrides"
    __table_args__ = (
        Index("ix_terraform_overrides_run_id_id", "run_id", "id"),
        Index("ix_terraform_overrides_standing", "run_id", unique=True, postgresql_where=text("ended_at is null")),
        Index("ix_terraform_overrides_due", "expires_at", postgresql_where=text("ended_at is null")),
    )

    id: Mapped[Id]
    run_id: Mapped[str]
    actor: Mapped[dict[str, Any]]
    actor_id: Mapped[str]
    reason: Mapped[str]
    fingerprint: Mapped[str]
    policy_sets: Mapped[list[Any]]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
