"""runs that move a state: where to, and which backend a run was planned against

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-21 04:30:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("terraform_runs", sa.Column("target", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("terraform_runs", sa.Column("backend_digest", sa.String(), nullable=True))


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_column("terraform_runs", "backend_digest")
    op.drop_column("terraform_runs", "target")
