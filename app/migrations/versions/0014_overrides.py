"""overrides of soft-mandatory policy failures, and the stable word for why a run ended

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-21 11:00:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | Sequence[str] | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.create_table(
        "terraform_overrides",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("policy_sets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_overrides_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_overrides")),
    )
    op.create_index(
        op.f("ix_terraform_overrides_organization_id"), "terraform_overrides", ["organization_id"], unique=False
    )
    op.create_index("ix_terraform_overrides_run_id_id", "terraform_overrides", ["run_id", "id"], unique=False)
    op.create_index(
        "ix_terraform_overrides_standing",
        "terraform_overrides",
        ["run_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index(
        "ix_terraform_overrides_due",
        "terraform_overrides",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.add_column(
        "terraform_runs", sa.Column("was_overridden", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("terraform_runs", sa.Column("reason_code", sa.String(), nullable=True))


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_column("terraform_runs", "reason_code")
    op.drop_column("terraform_runs", "was_overridden")
    op.drop_index("ix_terraform_overrides_due", table_name="terraform_overrides")
    op.drop_index("ix_terraform_overrides_standing", table_name="terraform_overrides")
    op.drop_index("ix_terraform_overrides_run_id_id", table_name="terraform_overrides")
    op.drop_index(op.f("ix_terraform_overrides_organization_id"), table_name="terraform_overrides")
    op.drop_table("terraform_overrides")
