"""Every query on configurations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.configurations.models import Configuration

_ARCHIVES = 0x41524348
"""Class of the advisory locks on archives (the letters ARCH)."""


def _held(query: Select[Configuration]) -> Select[Configuration]:
    return query.with_for_update(read=True, key_share=True).execution_options(populate_existing=True)


_OWN = select(Configuration).where(Configuration.organization_id == bindparam("organization"))
_BY_ID = _OWN.where(Configuration.id == bindparam("wanted"))
_BY_DIGEST = _OWN.where(Configuration.digest == bindparam("wanted"))
_HELD_BY_ID, _HELD_BY_DIGEST = _held(_BY_ID), _held(_BY_DIGEST)


def by_id(
    session: Session, organization_id: str, configuration_id: str, *, is_held: bool = False
) -> Configuration | None:
    """Return the organization's configuration, or None.

    With ``is_held`` it is as it is now, and nobody may remove its files before this transaction has ended.
    """
    query = _HELD_BY_ID if is_held else _BY_ID
    return session.scalars(query, {"organization": organization_id, "wanted": configuration_id}).one_or_none()


def by_digest(session: Session, organization_id: str, digest: str, *, is_held: bool = False) -> Configuration | None:
    """Return the organization's configuration of that content, or None; ``is_held`` as in ``by_id``."""
    query = _HELD_BY_DIGEST if is_held else _BY_DIGEST
    return session.scalars(query, {"organization": organization_id, "wanted": digest}).one_or_none()


def serialize(session: Session, organization_id: str, digest: str) -> None:
    """Wait for whoever stores or sweeps an archive of this content; keep others away until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(_ARCHIVES, func.hashtext(f"{organization_id}/{digest}"))))


def lock_old_uploads(session: Session, before: datetime, after: str, limit: int) -> Sequence[Configuration]:
    """Lock uploads with files that were stored before ``before``, in id order behind ``after``.

    One that a transaction holds is passed over: it is needed.
    """
    return session.scalars(
        select(Configuration)
        .where(
            Configuration.source == "upload",
            Configuration.removed_at.is_(None),
            Configuration.created_at < before,
            Configuration.id > after,
        )
        .order_by(Configuration.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()


def insert_unless_there(session: Session, values: dict[str, Any]) -> bool:
    """Insert a configuration; return whether this call did.

    Of two transactions with the same content the first to commit wins; the other waits for it, inserts nothing, and
    gets False.
    """
    statement = insert(Configuration).values(values)
    statement = statement.on_conflict_do_nothing(index_elements=["organization_id", "digest"])
    return session.scalars(statement.returning(Configuration.id)).one_or_none() is not None
