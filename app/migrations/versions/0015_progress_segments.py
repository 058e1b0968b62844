"""logs of complete runs lie in artifacts, and how long resources took is known by workspace

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-21 11:10:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | Sequence[str] | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("progress_streams", sa.Column("compacted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_progress_streams_to_compact",
        "progress_streams",
        ["closed_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NOT NULL AND compacted_at IS NULL AND removed_at IS NULL"),
    )
    op.create_table(
        "progress_segments",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_offset", sa.BigInteger(), nullable=False),
        sa.Column("artifact", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blocks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["progress_streams.run_id"],
            name=op.f("fk_progress_segments_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "first_offset", name=op.f("pk_progress_segments")),
    )
    op.create_table(
        "progress_timings",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["progress_streams.run_id"],
            name=op.f("fk_progress_timings_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "address", "action", name=op.f("pk_progress_timings")),
    )
    op.create_index(
        "ix_progress_timings_workspace_id_run_id", "progress_timings", ["workspace_id", "run_id"], unique=False
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.drop_index("ix_progress_timings_workspace_id_run_id", table_name="progress_timings")
    op.drop_table("progress_timings")
    op.drop_table("progress_segments")
    op.drop_index("ix_progress_streams_to_compact", table_name="progress_streams")
    op.drop_column("progress_streams", "compacted_at")
