"""rehearsals; a variable's version says whether it was sensitive

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-21 11:10:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | Sequence[str] | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"

BACKFILL = (
    # What is current is what its variable is; a version before it may have been something else.
    """
UPDATE terraform_variable_versions version SET is_sensitive = variable.is_sensitive
FROM terraform_variables variable WHERE variable.id = version.variable_id
""",
    # The audit trail tells of each version what it was.
    """
UPDATE terraform_variable_versions version SET is_sensitive = (event.evidence ->> 'sensitive')::boolean
FROM audit_events event
WHERE event.organization_id = version.organization_id AND event.target_id = version.variable_id
  AND event.action = 'variable.set' AND event.evidence ->> 'version_id' = version.id
  AND event.evidence ->> 'sensitive' IN ('true', 'false')
""",
)


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("terraform_variable_versions", sa.Column("is_sensitive", sa.Boolean(), nullable=True))
    for statement in BACKFILL:
        op.execute(statement)
    op.alter_column("terraform_variable_versions", "is_sensitive", nullable=False)
    op.create_table(
        "terraform_rehearsals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("policy_set_uri", sa.String(), nullable=True),
        sa.Column("files", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("bundle", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("bundle_digest", sa.String(), nullable=False),
        sa.Column("enforcement_level", sa.String(), nullable=False),
        sa.Column("waives_unevaluable", sa.Boolean(), nullable=False),
        sa.Column("workspaces", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tag", sa.String(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=True),
        sa.Column("policy_engine", sa.String(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("newly_blocked", sa.BigInteger(), nullable=False),
        sa.Column("would_block", sa.BigInteger(), nullable=False),
        sa.Column("would_warn", sa.BigInteger(), nullable=False),
        sa.Column("not_evaluable", sa.BigInteger(), nullable=False),
        sa.Column("busy_seconds", sa.Float(), nullable=False),
        sa.Column("late", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('queued', 'running', 'finished', 'errored', 'cancelled')",
            name=op.f("ck_terraform_rehearsals_status"),
        ),
        sa.CheckConstraint(
            "enforcement_level in ('advisory', 'soft-mandatory', 'hard-mandatory')",
            name=op.f("ck_terraform_rehearsals_enforcement_level"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_rehearsals_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_rehearsals")),
    )
    op.create_index("ix_rehearsals_organization", "terraform_rehearsals", ["organization_id", "id"])
    op.create_index(
        "ix_rehearsals_live",
        "terraform_rehearsals",
        ["organization_id", "id"],
        postgresql_where=sa.text("status in ('queued', 'running')"),
    )
    op.create_index("ix_rehearsals_created", "terraform_rehearsals", ["created_at"])
    op.create_index(op.f("ix_terraform_rehearsals_organization_id"), "terraform_rehearsals", ["organization_id"])
    op.create_table(
        "terraform_rehearsal_results",
        sa.Column("rehearsal_id", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("workspace_name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict_then", sa.String(), nullable=True),
        sa.Column("effect", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_rehearsal_results_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["rehearsal_id"],
            ["terraform_rehearsals.id"],
            name=op.f("fk_terraform_rehearsal_results_rehearsal_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rehearsal_id", "position", name=op.f("pk_terraform_rehearsal_results")),
    )
    op.create_index("uq_rehearsal_results_place", "terraform_rehearsal_results", ["rehearsal_id", "place"], unique=True)
    op.create_index(
        "ix_rehearsal_results_open",
        "terraform_rehearsal_results",
        ["rehearsal_id", "position"],
        postgresql_where=sa.text("effect is null"),
    )
    op.create_index(
        op.f("ix_terraform_rehearsal_results_organization_id"), "terraform_rehearsal_results", ["organization_id"]
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_table("terraform_rehearsal_results")
    op.drop_table("terraform_rehearsals")
    op.drop_column("terraform_variable_versions", "is_sensitive")
