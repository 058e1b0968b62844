"""Rows of decisions."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
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
