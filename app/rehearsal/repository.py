"""Queries of rehearsals."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session, undefer

from app.core.pages import PageParams, fetch_page
from app.rehearsal.models import LIVE, Rehearsal, RehearsalResult

BLOCKING = ("newly_blocks", "blocks")


def add(session: Session, row: Rehearsal, results: Iterable[RehearsalResult]) -> None:
    """Add a rehearsal with the plans that were chosen."""
    session.add(row)
    session.flush()
    session.add_all(results)
    session.flush()


def find(session: Session, organization_id: str, rehearsal_id: str) -> Rehearsal | None:
    """Return one rehearsal of the organization as it is now."""
    return session.scalars(
        select(Rehearsal)
        .filter_by(organization_id=organization_id, id=rehearsal_id)
        .execution_options(populate_existing=True)
    ).one_or_none()


def page(session: Session, organization_id: str, params: PageParams) -> tuple[Sequence[Rehearsal], str | None]:
    """Return one page of the organization's rehearsals, newest first."""
    return fetch_page(session, select(Rehearsal).filter_by(organization_id=organization_id), Rehearsal.id, params)


def results(
    session: Session, rehearsal_id: str, effects: Sequence[str], params: PageParams
) -> tuple[Sequence[RehearsalResult], str | None]:
    """Return one page of what is filled in, in the order of the answer; with ``effects`` only those."""
    query = select(RehearsalResult).where(
        RehearsalResult.rehearsal_id == rehearsal_id, RehearsalResult.place.is_not(None)
    )
    if effects:
        query = query.where(RehearsalResult.effect.in_(effects))
    return fetch_page(session, query, RehearsalResult.place, params, newest_first=False)


def count_live(session: Session, organization_id: str) -> int:
    """Return how many rehearsals of the organization are queued or running."""
    return session.scalars(
        select(func.count())
        .select_from(Rehearsal)
        .where(Rehearsal.organization_id == organization_id, Rehearsal.status.in_(LIVE))
    ).one()


def lock_first(session: Session, organization_id: str) -> Rehearsal | None:
    """Return the organization's oldest rehearsal that is not over, with its bundle, locked until commit.

    Of two that ask at once the second waits, and then sees the lease that the first one took.
    """
    return session.scalars(
        select(Rehearsal)
        .where(Rehearsal.organization_id == organization_id, Rehearsal.status.in_(LIVE))
        .order_by(Rehearsal.id)
        .limit(1)
        .options(undefer(Rehearsal.bundle))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def lock(session: Session, rehearsal_id: str) -> Rehearsal | None:
    """Return one rehearsal, locked until commit."""
    return session.scalars(
        select(Rehearsal).filter_by(id=rehearsal_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def waiting(session: Session, at: datetime) -> Sequence[str]:
    """Return the organizations that have a rehearsal which nobody works on at that moment."""
    return session.scalars(
        select(Rehearsal.organization_id)
        .where(
            Rehearsal.status.in_(LIVE),
            or_(Rehearsal.lease_expires_at.is_(None), Rehearsal.lease_expires_at < at),
        )
        .distinct()
    ).all()


def open_results(session: Session, rehearsal_id: str, limit: int) -> Sequence[RehearsalResult]:
    """Return the next plans that nothing was said about yet, newest first."""
    return session.scalars(
        select(RehearsalResult)
        .filter_by(rehearsal_id=rehearsal_id, effect=None)
        .order_by(RehearsalResult.position)
        .limit(limit)
    ).all()


def fill(session: Session, rehearsal_id: str, position: int, values: Mapping[str, Any]) -> bool:
    """Say something about a plan, once: whoever comes second changes nothing and gets False."""
    statement = (
        update(RehearsalResult)
        .where(
            RehearsalResult.rehearsal_id == rehearsal_id,
            RehearsalResult.position == position,
            RehearsalResult.effect.is_(None),
        )
        .values(**values)
    )
    return session.execute(statement.returning(RehearsalResult.position)).first() is not None


def counts(session: Session, rehearsal_id: str) -> dict[str, int]:
    """Return the counts of a rehearsal, taken from its results."""

    def of(*effects: str) -> Any:
        return func.count(case((RehearsalResult.effect.in_(effects), literal(1))))

    [row] = session.execute(
        select(
            func.count(RehearsalResult.effect).label("done"),
            of("removed").label("removed"),
            of("newly_blocks").label("newly_blocked"),
            of(*BLOCKING).label("would_block"),
            of("warns").label("would_warn"),
            func.count(case((RehearsalResult.outcome == "error", literal(1)))).label("not_evaluable"),
        ).where(RehearsalResult.rehearsal_id == rehearsal_id)
    ).mappings()
    return dict(row)


def remove_before(session: Session, before: datetime, limit: int) -> int:
    """Remove rehearsals that were asked for before ``before``, with their results; return how many."""
    old = select(Rehearsal.id).where(Rehearsal.created_at < before).order_by(Rehearsal.created_at).limit(limit)
    removed = session.execute(
        delete(Rehearsal).where(Rehearsal.id.in_(old), Rehearsal.status.not_in(LIVE)).returning(Rehearsal.id)
    )
    return len(removed.all())
