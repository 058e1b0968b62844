"""Queries of state."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Select, Table, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session, undefer

from app.core.pages import PageParams, fetch_page
from app.state.models import TerraformStateLock, TerraformStateVersion


def _content(query: Select[TerraformStateVersion]) -> Select[TerraformStateVersion]:
    """Read what a version's content is made from, too; a list has no use for it."""
    wanted = (undefer(TerraformStateVersion.manifest), undefer(TerraformStateVersion.resources))
    return query.options(*wanted).execution_options(populate_existing=True)


# Made once: every run asks these, and putting a statement together takes longer than running it.
_CURRENT = (
    select(TerraformStateVersion)
    .where(TerraformStateVersion.workspace_id == bindparam("workspace"))
    .order_by(TerraformStateVersion.number.desc())
    .limit(1)
)
_CURRENT_WITH_CONTENT = _content(_CURRENT)
_LOCKS = cast(Table, TerraformStateLock.__table__)
_TAKE_LOCK = insert(_LOCKS).on_conflict_do_nothing().returning(_LOCKS.c.workspace_id)
_LOCK = (
    select(TerraformStateLock)
    .where(TerraformStateLock.workspace_id == bindparam("workspace"))
    .execution_options(populate_existing=True)
)


def current(session: Session, workspace_id: str, *, with_content: bool = False) -> TerraformStateVersion | None:
    """Return the workspace's newest state version."""
    query = _CURRENT_WITH_CONTENT if with_content else _CURRENT
    return session.scalars(query, {"workspace": workspace_id}).one_or_none()


def of_serial(session: Session, workspace_id: str, lineage: str, serial: int) -> TerraformStateVersion | None:
    """Return the workspace's newest state version of that lineage and serial."""
    return session.scalars(
        select(TerraformStateVersion)
        .filter_by(workspace_id=workspace_id, lineage=lineage, serial=serial)
        .order_by(TerraformStateVersion.number.desc())
        .limit(1)
    ).one_or_none()


def currents(session: Session, workspace_ids: Sequence[str]) -> Sequence[TerraformStateVersion]:
    """Return the newest state version of each workspace that has one."""
    return session.scalars(
        select(TerraformStateVersion)
        .where(TerraformStateVersion.workspace_id.in_(workspace_ids))
        .ext(distinct_on(TerraformStateVersion.workspace_id))
        .order_by(TerraformStateVersion.workspace_id, TerraformStateVersion.number.desc())
    ).all()


def serialize_writers(session: Session, workspace_id: str) -> None:
    """Let one writer at a time number the workspace's state versions, until commit.

    An advisory lock, not a row's: a state must never wait for a transition that holds a row.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"state:{workspace_id}", 0))))


def get(
    session: Session, organization_id: str, version_id: str, *, with_content: bool = False
) -> TerraformStateVersion | None:
    """Return one state version of the organization."""
    query = select(TerraformStateVersion).filter_by(organization_id=organization_id, id=version_id)
    return session.scalars(_content(query) if with_content else query).one_or_none()


def by_digest(session: Session, workspace_id: str, digest: str) -> TerraformStateVersion | None:
    """Return the workspace's newest state version of that content."""
    query = select(TerraformStateVersion).filter_by(workspace_id=workspace_id, digest=digest)
    return session.scalars(query.order_by(TerraformStateVersion.number.desc()).limit(1)).one_or_none()


def of_run(session: Session, run_id: str) -> Sequence[TerraformStateVersion]:
    """Return the state versions that a run left, with what their content is read from, newest first."""
    query = select(TerraformStateVersion).filter_by(run_id=run_id).order_by(TerraformStateVersion.number.desc())
    return session.scalars(_content(query)).all()


def page(session: Session, workspace_id: str, params: PageParams) -> tuple[Sequence[TerraformStateVersion], str | None]:
    """Return one page of a workspace's versions, newest first."""
    query = select(TerraformStateVersion).filter_by(workspace_id=workspace_id)
    return fetch_page(session, query, TerraformStateVersion.number, params)


def lock(session: Session, workspace_id: str) -> TerraformStateLock | None:
    """Return the workspace's state lock, if one is held."""
    return session.scalars(_LOCK, {"workspace": workspace_id}).one_or_none()


def locks(session: Session, workspace_ids: Sequence[str]) -> Sequence[TerraformStateLock]:
    """Return the state locks held among the workspaces."""
    return session.scalars(select(TerraformStateLock).where(TerraformStateLock.workspace_id.in_(workspace_ids))).all()


def take_lock(session: Session, row: TerraformStateLock) -> bool:
    """Insert the lock. The first commit wins; the loser gets False and changes nothing. One's own lock is True."""
    if take_manual_lock(session, row):
        return True
    held = lock(session, row.workspace_id)
    return held is not None and row.run_id is not None and held.run_id == row.run_id


def take_manual_lock(session: Session, row: TerraformStateLock) -> bool:
    """Insert a person's lock. The first commit wins; the loser gets False and changes nothing."""
    values = {column.name: getattr(row, column.name) for column in _LOCKS.columns}
    return session.execute(_TAKE_LOCK, values).first() is not None


def remove_lock(session: Session, seen: TerraformStateLock) -> bool:
    """Delete exactly the lock that was seen; False when it is gone or another's by now."""
    statement = delete(TerraformStateLock).where(
        TerraformStateLock.workspace_id == seen.workspace_id,
        TerraformStateLock.kind == seen.kind,
        TerraformStateLock.run_id.is_not_distinct_from(seen.run_id),
        TerraformStateLock.acquired_at == seen.acquired_at,
        TerraformStateLock.orphaned_at.is_not_distinct_from(seen.orphaned_at),
    )
    return session.execute(statement.returning(TerraformStateLock.workspace_id)).first() is not None


def release_lock(session: Session, workspace_id: str, run_id: str) -> bool:
    """Delete the lock if ``run_id`` holds it; say whether it did."""
    statement = delete(TerraformStateLock).filter_by(workspace_id=workspace_id, run_id=run_id)
    return session.execute(statement.returning(TerraformStateLock.workspace_id)).first() is not None


def orphan_lock(session: Session, workspace_id: str, run_id: str, at: datetime) -> str | None:
    """Mark the lock as orphaned if ``run_id`` holds it and it is not yet; return its organization if it was marked."""
    statement = (
        update(TerraformStateLock)
        .filter_by(workspace_id=workspace_id, run_id=run_id, orphaned_at=None)
        .values(orphaned_at=at)
    )
    return session.scalar(statement.returning(TerraformStateLock.organization_id))


def beat_lock(session: Session, run_id: str, at: datetime) -> None:
    """Note that the holder lives."""
    session.execute(update(TerraformStateLock).filter_by(run_id=run_id).values(heartbeat_at=at))


def kept_out() -> Select[str]:
    """Select the workspaces whose lock is a person's or a dead run's."""
    return select(TerraformStateLock.workspace_id).where(
        or_(TerraformStateLock.orphaned_at.is_not(None), TerraformStateLock.kind == "manual")
    )


def orphaned(session: Session, organization_id: str) -> Sequence[TerraformStateLock]:
    """Return the organization's locks whose holders are dead, oldest first."""
    return session.scalars(
        select(TerraformStateLock)
        .where(TerraformStateLock.organization_id == organization_id, TerraformStateLock.orphaned_at.is_not(None))
        .order_by(TerraformStateLock.acquired_at)
    ).all()
