"""Rows of the audit trail."""

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, Identity, Index, PrimaryKeyConstraint, UniqueConstraint, event, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created


class AuditEvent(Created, Base):
    """One thing that happened. Written unchained; the sequencer gives chain position and hashes after commit."""

    __tablename__ = "audit_events"
    __table_args__ = (
        UniqueConstraint("organization_id", "chain_seq"),
        Index("ix_audit_events_organization_id_id", "organization_id", "id"),
        Index("ix_audit_events_target", "organization_id", "target_id", "id"),
        Index("ix_audit_events_action", "organization_id", "action", "id"),
        Index("ix_audit_events_unchained", "organization_id", "id", postgresql_where=text("chain_seq is null")),
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


class AuditCheckpoint(Created, Base):
    """Where a signed checkpoint of an organization's chain stands, and what it says until the artifact store has it.

    An index only: what is verified is read from the artifact store.
    """

    __tablename__ = "audit_checkpoints"
    __table_args__ = (
        PrimaryKeyConstraint("organization_id", "sequence"),
        Index("ix_audit_checkpoints_position", "organization_id", "position"),
        Index("ix_audit_checkpoints_unstored", "organization_id", postgresql_where=text("stored_at is null")),
    )

    organization_id: Mapped[str]
    sequence: Mapped[int]
    position: Mapped[int]
    digest: Mapped[str]
    document: Mapped[dict[str, Any]]
    stored_at: Mapped[datetime | None]


APPEND_ONLY_UP = (
    """
CREATE OR REPLACE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'audit events are append-only: they are never deleted';
  END IF;
  IF OLD.chain_seq IS NOT NULL
     OR (to_jsonb(NEW) - 'chain_seq' - 'previous_hash' - 'hash')
        IS DISTINCT FROM (to_jsonb(OLD) - 'chain_seq' - 'previous_hash' - 'hash') THEN
    RAISE EXCEPTION 'audit events are append-only: only the sequencer sets a position, once';
  END IF;
  RETURN NEW;
END $$
""",
    """
CREATE OR REPLACE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION audit_events_append_only()
""",
)
"""What the migration executes after it has created the table, statement by statement."""

for _statement in APPEND_ONLY_UP:
    event.listen(AuditEvent.__table__, "after_create", DDL(_statement))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves DDL untyped
