"""Rows of the audit trail."""

from typing import Any

from sqlalchemy import BigInteger, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created


class AuditEvent(Created, Base):
    """One thing that happened. Written unchained; the sequencer gives chain position and hashes after commit."""

    __tablename__ = "audit_events"
    __table_args__ = (
        UniqueConstraint("organization_id", "chain_seq"),
        Index("ix_audit_events_organization_id_id", "organization_id", "id"),
        Index("ix_audit_events_target", "organization_id", "target_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    organization_id: Mapped[str]
    actor: Mapped[dict[str, Any]]
    source_address: Mapped[str | None]
    action: Mapped[str]
    target_kind: Mapped[str]
    target_id: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    chain_seq: Mapped[int | None]
    previous_hash: Mapped[str | None]
    hash: Mapped[str | None]
