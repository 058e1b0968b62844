"""Queries of halts."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.halt.models import Halt


def by_ids(session: Session, ids: Sequence[str]) -> Sequence[Halt]:
    """Return the halts of these ids, oldest first."""
    return session.scalars(select(Halt).where(Halt.id.in_(ids)).order_by(Halt.id)).all()


def lock(session: Session, halt_id: str) -> Halt | None:
    """Return one halt, its row locked until commit."""
    return session.scalars(select(Halt).filter_by(id=halt_id).with_for_update()).one_or_none()
