"""halts are fanned out to sibling systems, and drilled

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-21 11:10:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0018"
down_revision: str | Sequence[str] | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("terraform_halts", sa.Column("origin_id", sa.String(), nullable=True))
    op.create_index(
        "ix_terraform_halts_origin_id",
        "terraform_halts",
        ["origin_id"],
        postgresql_where=sa.text("origin_id is not null"),
    )
    op.create_index("ix_terraform_halts_created_at", "terraform_halts", ["created_at"])
    op.create_index("ix_runs_halt", "terraform_runs", ["halt_id"], postgresql_where=sa.text("halt_id is not null"))
    op.create_table(
        "terraform_halt_calls",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("halt_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("http_status", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('pending', 'answered', 'failed', 'timed_out')", name=op.f("ck_terraform_halt_calls_status")
        ),
        sa.ForeignKeyConstraint(
            ["halt_id"],
            ["terraform_halts.id"],
            name=op.f("fk_terraform_halt_calls_halt_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_halt_calls")),
    )
    op.create_index("uq_halt_calls_name", "terraform_halt_calls", ["halt_id", "name"], unique=True)
    op.create_index(
        "ix_halt_calls_pending",
        "terraform_halt_calls",
        ["created_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "terraform_halt_drills",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("workspace_name", sa.String(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("halt_id", sa.String(), nullable=True),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failed_step", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status in ('running', 'passed', 'failed')", name=op.f("ck_terraform_halt_drills_status")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_halt_drills_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_halt_drills")),
    )
    op.create_index(
        op.f("ix_terraform_halt_drills_organization_id"), "terraform_halt_drills", ["organization_id"], unique=False
    )
    op.create_index("ix_halt_drills_organization", "terraform_halt_drills", ["organization_id", "id"])
    op.create_index(
        "uq_halt_drills_running",
        "terraform_halt_drills",
        ["workspace_id"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_table("terraform_halt_drills")
    op.drop_table("terraform_halt_calls")
    op.drop_index("ix_runs_halt", table_name="terraform_runs")
    op.drop_index("ix_terraform_halts_created_at", table_name="terraform_halts")
    op.drop_index("ix_terraform_halts_origin_id", table_name="terraform_halts")
    op.drop_column("terraform_halts", "origin_id")
