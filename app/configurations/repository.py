"""Every query on configurations."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.configurations.models import Configuration


def by_id(session: Session, organization_id: str, configuration_id: str) -> Configuration | None:
    """Return the organization's configuration, or None."""
    return session.scalars(
        select(Configuration).filter_by(organization_id=organization_id, id=configuration_id)
    ).one_or_none()


def by_digest(session: Session, organization_id: str, digest: str) -> Configuration | None:
    """Return the organization's configuration of that content, or None."""
    return session.scalars(
        select(Configuration).filter_by(organization_id=organization_id, digest=digest)
    ).one_or_none()


def insert_unless_there(session: Session, values: dict[str, Any]) -> bool:
    """Insert a configuration; return whether this call did.

    Of two transactions with the same content the first to commit wins; the other waits for it, inserts nothing, and
    gets False.
    """
    statement = insert(Configuration).values(values)
    statement = statement.on_conflict_do_nothing(index_elements=["organization_id", "digest"])
    return session.scalars(statement.returning(Configuration.id)).one_or_none() is not None
