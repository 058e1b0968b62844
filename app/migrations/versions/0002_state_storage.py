"""state versions in pieces, manual locks, quarantine, retention

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-21 02:05:00+00:00
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "5min"

_JSON = postgresql.JSONB(astext_type=sa.Text())
_OLD_CONTENT = ("artifact", "outputs_artifact", "resources")

# A version in pieces has nothing that the older schema could read.
_REFUSE_DOWNGRADE = """
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM terraform_state_versions WHERE artifact IS NULL)
     OR EXISTS (SELECT 1 FROM terraform_quarantined_states WHERE status = 'held') THEN
    RAISE EXCEPTION 'states are stored in pieces, which revision 0001 cannot read: restore a backup instead';
  END IF;
END $$
"""


def _owned(table: str) -> list[Any]:
    return [
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f(f"fk_{table}_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["terraform_workspaces.id"],
            name=op.f(f"fk_{table}_workspace_id"),
            ondelete="CASCADE",
        ),
    ]


def _index_organization(table: str) -> None:
    op.create_index(op.f(f"ix_{table}_organization_id"), table, ["organization_id"], unique=False)


def upgrade() -> None:
    # A migration that waits for a lock stops every query behind it: give up early, and be started again.
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.add_column("terraform_state_versions", sa.Column("manifest", sa.LargeBinary(), nullable=True))
    op.add_column("terraform_state_versions", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    for column in _OLD_CONTENT:
        op.alter_column("terraform_state_versions", column, existing_type=_JSON, nullable=True)
    op.add_column("terraform_state_locks", sa.Column("kind", sa.String(), server_default="run", nullable=False))
    op.alter_column("terraform_state_locks", "run_id", existing_type=sa.String(), nullable=True)
    op.create_check_constraint(
        op.f("ck_terraform_state_locks_owner"),
        "terraform_state_locks",
        "(kind = 'run' and run_id is not null) or (kind = 'manual' and run_id is null)",
    )
    op.create_table(
        "terraform_state_chunks",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("base_id", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_owned("terraform_state_chunks"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_terraform_state_chunks")),
    )
    _index_organization("terraform_state_chunks")
    # Sealed bytes don't compress, so PostgreSQL need not try.
    op.execute("ALTER TABLE terraform_state_chunks ALTER COLUMN sealed SET STORAGE EXTERNAL")
    op.create_table(
        "terraform_state_keys",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_owned("terraform_state_keys"),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_terraform_state_keys")),
    )
    _index_organization("terraform_state_keys")
    op.create_table(
        "terraform_state_retention",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("keep_versions", sa.BigInteger(), nullable=True),
        sa.Column("keep_days", sa.BigInteger(), nullable=True),
        *_owned("terraform_state_retention"),
        sa.CheckConstraint("keep_versions >= 1", name=op.f("ck_terraform_state_retention_keep_versions")),
        sa.CheckConstraint("keep_days >= 1", name=op.f("ck_terraform_state_retention_keep_days")),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_terraform_state_retention")),
    )
    _index_organization("terraform_state_retention")
    op.create_table(
        "terraform_quarantined_states",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("lineage", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=True),
        sa.Column("created_by", _JSON, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", _JSON, nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.Column("state_version_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_owned("terraform_quarantined_states"),
        sa.CheckConstraint(
            "status in ('held', 'adopted', 'discarded')", name=op.f("ck_terraform_quarantined_states_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terraform_quarantined_states")),
    )
    _index_organization("terraform_quarantined_states")
    op.create_index(
        op.f("ix_terraform_quarantined_states_workspace_id"),
        "terraform_quarantined_states",
        ["workspace_id"],
        unique=False,
    )


def downgrade() -> None:
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    op.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
    op.execute(_REFUSE_DOWNGRADE)
    for table in (
        "terraform_quarantined_states",
        "terraform_state_retention",
        "terraform_state_keys",
        "terraform_state_chunks",
    ):
        op.drop_table(table)
    op.execute("DELETE FROM terraform_state_locks WHERE kind = 'manual'")
    op.drop_constraint(op.f("ck_terraform_state_locks_owner"), "terraform_state_locks", type_="check")
    op.alter_column("terraform_state_locks", "run_id", existing_type=sa.String(), nullable=False)
    op.drop_column("terraform_state_locks", "kind")
    for column in _OLD_CONTENT:
        op.alter_column("terraform_state_versions", column, existing_type=_JSON, nullable=False)
    op.drop_column("terraform_state_versions", "pruned_at")
    op.drop_column("terraform_state_versions", "manifest")
