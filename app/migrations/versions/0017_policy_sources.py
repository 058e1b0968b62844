"""policy sets are uploaded, or read from git; a look at their sources says when something newer lies there

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-21 11:20:00+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0017"
down_revision: str | Sequence[str] | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"

BUNDLES = "terraform_policy_bundles"
ATTACHMENTS = "terraform_policy_attachments"


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column(BUNDLES, sa.Column("name", sa.String(), nullable=True))
    op.add_column(BUNDLES, sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(BUNDLES, sa.Column("uploaded_by", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    for name in ("commit_id", "newer_digest", "newer_commit_id", "look_error"):
        op.add_column(ATTACHMENTS, sa.Column(name, sa.String(), nullable=True))
    op.add_column(ATTACHMENTS, sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    for name in ("looked_at", "look_error", "newer_commit_id", "newer_digest", "commit_id"):
        op.drop_column(ATTACHMENTS, name)
    for name in ("uploaded_by", "uploaded_at", "name"):
        op.drop_column(BUNDLES, name)
