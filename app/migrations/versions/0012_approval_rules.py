"""how long approvals count, and when a plan needs more of them

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-21 11:05:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"
JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("terraform_workspaces", sa.Column("approval_validity_seconds", sa.BigInteger(), nullable=True))
    op.add_column(
        "terraform_workspaces",
        sa.Column("approval_conditions", JSON, server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.add_column("terraform_runs", sa.Column("changed_tags", JSON, nullable=True))


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_column("terraform_runs", "changed_tags")
    op.drop_column("terraform_workspaces", "approval_conditions")
    op.drop_column("terraform_workspaces", "approval_validity_seconds")
