"""the queue: an organization's limit, and what the order of runs is read by

Revision ID: 0008
Revises: 0006
Create Date: 2026-11-21 07:50:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.create_table(
        "terraform_queue_limits",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("concurrency", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_queue_limits_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_terraform_queue_limits")),
    )
    op.create_table(
        "terraform_workers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("permits", sa.BigInteger(), nullable=False),
        sa.Column("busy", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_terraform_workers")),
    )
    op.create_index(
        "ix_runs_queued",
        "terraform_runs",
        ["organization_id", "workspace_id", "is_speculative", "id"],
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_runs_queued_applies",
        "terraform_runs",
        ["workspace_id", "id"],
        postgresql_where=sa.text("status = 'queued' and kind = 'apply'"),
    )
    op.create_index(
        "ix_runs_served",
        "terraform_runs",
        ["workspace_id", "claimed_at"],
        postgresql_where=sa.text("claimed_at is not null"),
    )
    op.create_index(
        "ix_runs_organization_served",
        "terraform_runs",
        ["organization_id", "claimed_at"],
        postgresql_where=sa.text("claimed_at is not null"),
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_index("ix_runs_organization_served", table_name="terraform_runs")
    op.drop_index("ix_runs_served", table_name="terraform_runs")
    op.drop_index("ix_runs_queued_applies", table_name="terraform_runs")
    op.drop_index("ix_runs_queued", table_name="terraform_runs")
    op.drop_table("terraform_workers")
    op.drop_table("terraform_queue_limits")
