"""Queries of the managed backend."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.state.backend_models import TerraformEngineLock, TerraformRunCredential
from app.state.models import TerraformStateLock, TerraformStateVersion


def credential(session: Session, secret_hash: str) -> TerraformRunCredential | None:
    """Return a run's credential, revoked ones too, and keep it from being revoked until commit.

    So a write that has begun is a version before its run has quiesced, and one that comes later is refused.
    """
    return session.scalars(
        select(TerraformRunCredential).filter_by(secret_hash=secret_hash).with_for_update(read=True)
    ).one_or_none()


def revoke(session: Session, run_id: str, at: datetime) -> None:
    """Revoke the run's credentials; waits for writes that have begun."""
    session.execute(
        update(TerraformRunCredential)
        .where(TerraformRunCredential.run_id == run_id, TerraformRunCredential.revoked_at.is_(None))
        .values(revoked_at=at)
    )


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
