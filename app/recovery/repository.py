"""Queries of recovery lists."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from app.core import clock
from app.core.pages import PageParams, fetch_page
from app.recovery.models import RecoveryItem, RecoveryList


def want(session: Session, *, organization_id: str, workspace_id: str, run_id: str) -> None:
    """Note that there is something new for a run's list; the first one makes the list."""
    statement = insert(RecoveryList).values(
        run_id=run_id,
        organization_id=organization_id,
        workspace_id=workspace_id,
        wanted=1,
        built=0,
        open_items=0,
        evidence="none",
        created_at=clock.now(),
    )
    raised = statement.on_conflict_do_update(
        index_elements=[RecoveryList.run_id], set_={"wanted": RecoveryList.wanted + 1}
    )
    session.execute(raised)


def want_again(session: Session, run_id: str) -> bool:
    """Note that there is something new for a list that is there already; return whether it is."""
    statement = update(RecoveryList).filter_by(run_id=run_id).values(wanted=RecoveryList.wanted + 1)
    return session.execute(statement.returning(RecoveryList.run_id)).first() is not None


def lock(session: Session, run_id: str, *, waits: bool = True) -> RecoveryList | None:
    """Return a list with its steps, locked until commit; None when there is none.

    Without ``waits`` also when another transaction has it.
    """
    return session.scalars(
        select(RecoveryList)
        .filter_by(run_id=run_id)
        .options(undefer(RecoveryList.steps))
        .with_for_update(skip_locked=not waits)
        .execution_options(populate_existing=True)
    ).one_or_none()


def get(session: Session, run_id: str) -> RecoveryList | None:
    """Return a run's list, unlocked."""
    return session.scalars(
        select(RecoveryList).filter_by(run_id=run_id).execution_options(populate_existing=True)
    ).one_or_none()


def due(session: Session, workspace_id: str | None = None) -> Sequence[RecoveryList]:
    """Return the lists that have something new, or items that wait for a state, oldest first."""
    query = select(RecoveryList).where(or_(RecoveryList.built < RecoveryList.wanted, RecoveryList.open_items > 0))
    if workspace_id is not None:
        query = query.filter_by(workspace_id=workspace_id)
    return session.scalars(query.order_by(RecoveryList.run_id)).all()


def items(session: Session, run_id: str) -> Sequence[RecoveryItem]:
    """Return the items of a run's list, in the order in which they came."""
    return session.scalars(
        select(RecoveryItem)
        .filter_by(run_id=run_id)
        .order_by(RecoveryItem.id)
        .execution_options(populate_existing=True)
    ).all()


def item(session: Session, organization_id: str, item_id: str) -> RecoveryItem | None:
    """Return one item of the organization."""
    return session.scalars(
        select(RecoveryItem)
        .filter_by(organization_id=organization_id, id=item_id)
        .execution_options(populate_existing=True)
    ).one_or_none()


def page(
    session: Session, organization_id: str, params: PageParams, *, workspace_id: str | None, status: str | None
) -> tuple[Sequence[RecoveryItem], str | None]:
    """Return one page of the organization's items, newest first."""
    query = select(RecoveryItem).filter_by(organization_id=organization_id)
    if workspace_id is not None:
        query = query.filter_by(workspace_id=workspace_id)
    if status is not None:
        query = query.filter_by(status=status)
    return fetch_page(session, query, RecoveryItem.id, params)


def open_lists(session: Session, organization_id: str, limit: int) -> Sequence[RecoveryList]:
    """Return up to ``limit`` of the organization's lists that have open items, newest first."""
    return session.scalars(
        select(RecoveryList)
        .where(RecoveryList.organization_id == organization_id, RecoveryList.open_items > 0)
        .order_by(RecoveryList.run_id.desc())
        .limit(limit)
    ).all()


def open_by_workspace(session: Session, workspace_ids: Sequence[str]) -> dict[str, int]:
    """Return how many open items the workspaces have, for those that have any."""
    rows = session.execute(
        select(RecoveryList.workspace_id, func.sum(RecoveryList.open_items))
        .where(RecoveryList.workspace_id.in_(workspace_ids), RecoveryList.open_items > 0)
        .group_by(RecoveryList.workspace_id)
    ).all()
    return {workspace_id: int(count) for workspace_id, count in rows}


def count_open(session: Session, organization_id: str) -> int:
    """Return how many open items the organization has."""
    query = select(func.coalesce(func.sum(RecoveryList.open_items), 0)).where(
        RecoveryList.organization_id == organization_id, RecoveryList.open_items > 0
    )
    return int(session.scalars(query).one())
