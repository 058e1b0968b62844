"""the newest lock file of a configuration is found by an index

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-21 12:25:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | Sequence[str] | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.create_index(
        "ix_runs_lock_files",
        "terraform_runs",
        ["workspace_id", "configuration_digest", "id"],
        postgresql_where=sa.text("artifacts ? 'lock_file' and artifacts_removed_at is null"),
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_index("ix_runs_lock_files", table_name="terraform_runs")
