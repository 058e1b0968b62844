"""Queries of halts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.halt.models import Halt


def by_ids(session: Session, ids: Sequence[str]) -> Sequence[Halt]:
    """Return the halts of these ids, oldest first."""
    return session.scalars(select(Halt).where(Halt.id.in_(ids)).order_by(Halt.id)).all()


def lock(session: Session, halt_id: str) -> Halt | None:
    """Return one halt, its row locked until commit."""
    return session.scalars(select(Halt).filter_by(id=halt_id).with_for_update()).one_or_none()


def knows(session: Session, given_id: str, organization_id: str) -> bool:
    """Whether a halt that is fanned out has this id, or came with it: one of everything or of the operator's own.

    Others never reach a sibling system, so their ids, which tenants choose, say nothing. The caller holds the fence, so
    that of two the second sees it.
    """
    is_operators = or_(Halt.organization_id.is_(None), Halt.organization_id == organization_id)
    query = select(Halt.id).where(
        or_(Halt.id == given_id, Halt.origin_id == given_id), Halt.scope != "workspace", is_operators
    )
    return session.scalar(query.limit(1)) is not None


def lifted_since(session: Session, organization_id: str, since: datetime) -> Sequence[Halt]:
    """Return the halts over an organization that were raised or lifted after ``since`` and stand no more, oldest first.

    One that stood for days may have been lifted while some run of it could not be proven dead.
    """
    return session.scalars(
        select(Halt)
        .where(
            or_(Halt.created_at > since, Halt.resumed_at > since),
            Halt.resumed_at.is_not(None),
            or_(Halt.organization_id == organization_id, Halt.scope == "everything"),
        )
        .order_by(Halt.id)
    ).all()


def get(session: Session, organization_id: str, halt_id: str) -> Halt | None:
    """Return one halt over the organization, whether it stands or not."""
    return session.scalars(
        select(Halt).where(Halt.id == halt_id, or_(Halt.organization_id == organization_id, Halt.scope == "everything"))
    ).one_or_none()
