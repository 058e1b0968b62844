"""outputs of other workspaces as inputs: who may read them, and which a run has read

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-21 04:55:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.create_table(
        "terraform_output_sharing",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("everyone", sa.Boolean(), nullable=False),
        sa.Column("reader_ids", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_terraform_output_sharing_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["terraform_workspaces.id"],
            name=op.f("fk_terraform_output_sharing_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_terraform_output_sharing")),
    )
    op.create_index(
        op.f("ix_terraform_output_sharing_organization_id"), "terraform_output_sharing", ["organization_id"]
    )
    op.add_column(
        "terraform_runs", sa.Column("upstream_outputs", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_column("terraform_runs", "upstream_outputs")
    op.drop_index(op.f("ix_terraform_output_sharing_organization_id"), table_name="terraform_output_sharing")
    op.drop_table("terraform_output_sharing")
