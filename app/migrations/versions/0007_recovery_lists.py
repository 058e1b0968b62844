"""recovery lists: what an apply that did not end well may have left

Revision ID: 0007
Revises: 0009
Create Date: 2026-11-21 08:00:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.create_table(
        "terraform_recovery_lists",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("built", sa.BigInteger(), nullable=False),
        sa.Column("open_items", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("steps", sa.LargeBinary(), nullable=True),
        sa.Column("checked_version_id", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_recovery_lists_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["terraform_runs.id"], name=op.f("fk_terraform_recovery_lists_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["terraform_workspaces.id"],
            name=op.f("fk_terraform_recovery_lists_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_terraform_recovery_lists")),
    )
    op.create_index(
        "ix_recovery_lists_due",
        "terraform_recovery_lists",
        ["run_id"],
        postgresql_where=sa.text("built < wanted or open_items > 0"),
    )
    op.create_index(
        op.f("ix_terraform_recovery_lists_organization_id"), "terraform_recovery_lists", ["organization_id"]
    )
    op.create_index(op.f("ix_terraform_recovery_lists_workspace_id"), "terraform_recovery_lists", ["workspace_id"])
    op.create_table(
        "terraform_recovery_items",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.Column("state_version_id", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('open', 'resolved', 'dismissed')", name=op.f("ck_terraform_recovery_items_status")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_recovery_items_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["terraform_recovery_lists.run_id"],
            name=op.f("fk_terraform_recovery_items_run_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["terraform_workspaces.id"],
            name=op.f("fk_terraform_recovery_items_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_recovery_items")),
    )
    op.create_index(
        "ix_recovery_items_open",
        "terraform_recovery_items",
        ["workspace_id"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_recovery_items_run", "terraform_recovery_items", ["run_id", "id"])
    op.create_index(
        op.f("ix_terraform_recovery_items_organization_id"), "terraform_recovery_items", ["organization_id"]
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_table("terraform_recovery_items")
    op.drop_table("terraform_recovery_lists")
