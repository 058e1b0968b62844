"""managed backend: credentials of runs, locks of engines

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-21 02:13:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.create_table(
        "terraform_run_credentials",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("holder", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("phase in ('plan', 'apply')", name=op.f("ck_terraform_run_credentials_phase")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_run_credentials_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["terraform_workspaces.id"],
            name=op.f("fk_terraform_run_credentials_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_run_credentials")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_terraform_run_credentials_secret_hash")),
    )
    for column in ("organization_id", "run_id", "workspace_id"):
        op.create_index(
            op.f(f"ix_terraform_run_credentials_{column}"), "terraform_run_credentials", [column], unique=False
        )
    op.create_table(
        "terraform_engine_locks",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("lock_id", sa.String(), nullable=False),
        sa.Column("info", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owns_state_lock", sa.Boolean(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_engine_locks_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["terraform_state_locks.workspace_id"],
            name=op.f("fk_terraform_engine_locks_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_terraform_engine_locks")),
    )
    op.create_index(
        op.f("ix_terraform_engine_locks_organization_id"), "terraform_engine_locks", ["organization_id"], unique=False
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.drop_table("terraform_engine_locks")
    op.drop_table("terraform_run_credentials")
