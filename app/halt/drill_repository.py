"""Queries of drills."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import clock
from app.core.pages import PageParams, fetch_page
from app.halt.models import HaltDrill


def add(session: Session, **values: Any) -> bool:
    """Add a drill that runs; False when one runs in the workspace already: the first keeps it."""
    added = insert(HaltDrill).values(status="running", steps=[], **values).on_conflict_do_nothing()
    return session.execute(added.returning(HaltDrill.id)).one_or_none() is not None


def get(session: Session, organization_id: str, drill_id: str) -> HaltDrill | None:
    """Return one drill of the organization as the database has it now."""
    query = select(HaltDrill).filter_by(organization_id=organization_id, id=drill_id)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def page(session: Session, organization_id: str, params: PageParams) -> tuple[Sequence[HaltDrill], str | None]:
    """Return one page of an organization's drills, newest first."""
    return fetch_page(session, select(HaltDrill).filter_by(organization_id=organization_id), HaltDrill.id, params)


def note(session: Session, drill_id: str, **values: Any) -> bool:
    """Note how a drill goes on; False when it has been ended by somebody else, and then nothing is noted."""
    done = session.execute(
        update(HaltDrill)
        .where(HaltDrill.id == drill_id, HaltDrill.status == "running")
        .values(beat_at=clock.now(), **values)
        .returning(HaltDrill.id)
        .execution_options(synchronize_session=False)
    )
    return done.one_or_none() is not None


def has_raised(session: Session, halt_id: str) -> bool:
    """Whether a halt is that of a drill which runs, and which will lift it."""
    query = select(HaltDrill.id).where(HaltDrill.halt_id == halt_id, HaltDrill.status == "running")
    return session.scalar(query.limit(1)) is not None


def passed(session: Session, run_ids: Iterable[str]) -> set[str]:
    """Return which of the runs were started, and stopped, by a drill that passed."""
    query = select(HaltDrill.run_id).where(HaltDrill.run_id.in_(run_ids), HaltDrill.status == "passed")
    return {run_id for run_id in session.scalars(query) if run_id is not None}


def silent(session: Session, since: datetime) -> Sequence[HaltDrill]:
    """Return the drills that run and of which nothing was heard since ``since``."""
    return session.scalars(select(HaltDrill).where(HaltDrill.status == "running", HaltDrill.beat_at < since)).all()


def lock_silent(session: Session, drill_id: str, since: datetime) -> HaltDrill | None:
    """Return a drill, its row locked until commit, if it still runs and is still silent."""
    query = select(HaltDrill).where(HaltDrill.id == drill_id, HaltDrill.status == "running", HaltDrill.beat_at < since)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
