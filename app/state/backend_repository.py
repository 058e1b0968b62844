"""Queries of the managed backend."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.state.backend_models import TerraformEngineLock, TerraformRunCredential
from app.state.models import TerraformStateLock, TerraformStateVersion

_CREDENTIALS = cast(Table, TerraformRunCredential.__table__)
_ADD_CREDENTIAL = insert(_CREDENTIALS)
_CREDENTIAL = (
    select(TerraformRunCredential)
    .where(TerraformRunCredential.secret_hash == bindparam("hash"))
    .with_for_update(read=True)
    .execution_options(populate_existing=True)
)
_REVOKE = (
    update(_CREDENTIALS)
    .where(_CREDENTIALS.c.run_id == bindparam("run"), _CREDENTIALS.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)


def add_credential(session: Session, values: dict[str, Any]) -> None:
    """Add a run's credential."""
    session.connection().execute(_ADD_CREDENTIAL, values)


def credential(session: Session, secret_hash: str) -> TerraformRunCredential | None:
    """Return a run's credential, revoked ones too, and keep it from being revoked until commit.

    So a write that has begun is a version before its run has quiesced, and one that comes later is refused.
    """
    return session.scalars(_CREDENTIAL, {"hash": secret_hash}).one_or_none()


def revoke(session: Session, run_id: str, at: datetime) -> None:
    """Revoke the run's credentials; waits for writes that have begun."""
    session.connection().execute(_REVOKE, {"run": run_id, "at": at})


def held_lock(session: Session, workspace_id: str) -> TerraformStateLock | None:
    """Return the workspace's state lock, and keep it from being released until commit; its heartbeat goes on."""
    return session.scalars(
        select(TerraformStateLock)
        .filter_by(workspace_id=workspace_id)
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def engine_lock(session: Session, workspace_id: str) -> TerraformEngineLock | None:
    """Return the engine's lock that is noted under the state lock."""
    return session.scalars(
        select(TerraformEngineLock).filter_by(workspace_id=workspace_id).execution_options(populate_existing=True)
    ).one_or_none()


def note_engine_lock(session: Session, row: TerraformEngineLock) -> TerraformEngineLock | None:
    """Note an engine's lock, and return the one that is noted then. The first commit wins; the loser reads whose."""
    values = {column.name: getattr(row, column.name) for column in TerraformEngineLock.__table__.columns}
    session.execute(insert(TerraformEngineLock).values(values).on_conflict_do_nothing())
    return engine_lock(session, row.workspace_id)


def mark_last_snapshot_applied(session: Session, run_id: str) -> str | None:
    """Make the run's newest state version an `applied` one if it is a snapshot; return its id, whatever its kind."""
    newest = session.execute(
        select(TerraformStateVersion.id, TerraformStateVersion.kind)
        .filter_by(run_id=run_id)
        .order_by(TerraformStateVersion.number.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return None
    if newest.kind == "snapshot":
        session.execute(update(TerraformStateVersion).filter_by(id=newest.id).values(kind="applied"))
    return str(newest.id)
