"""what is removed of old runs and uploads says when

Revision ID: 0010
Revises: 0007
Create Date: 2026-11-21 08:25:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("terraform_runs", sa.Column("artifacts_removed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_runs_kept",
        "terraform_runs",
        ["finished_at"],
        postgresql_where=sa.text("finished_at is not null and artifacts_removed_at is null"),
    )
    op.create_index("ix_runs_configuration", "terraform_runs", ["configuration_id"])
    op.add_column("progress_streams", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("configurations", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_column("configurations", "removed_at")
    op.drop_column("progress_streams", "removed_at")
    op.drop_index("ix_runs_configuration", table_name="terraform_runs")
    op.drop_index(
        "ix_runs_kept",
        table_name="terraform_runs",
        postgresql_where=sa.text("finished_at is not null and artifacts_removed_at is null"),
    )
    op.drop_column("terraform_runs", "artifacts_removed_at")
