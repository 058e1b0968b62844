"""Sealing anew what is stored, with the key that seals now: in batches, and as often as wanted.

Each slice says in ``sealed`` which of its columns hold envelopes; ``registry`` lists them. What is sealed with the
present key already is left alone, so an interrupted run goes on where it ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, inspect, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, undefer

from app.core.crypto import Binding, KeyRing, envelope_prefix
from app.core.db import Base
from app.core.errors import AppError


@dataclass(frozen=True)
class SealedColumn:
    """A column that holds envelopes. ``binding`` says what the envelope of a row is bound to."""

    model: type[Base]
    column: InstrumentedAttribute[Any]
    binding: Callable[[Session, Any], Binding]

    @property
    def name(self) -> str:
        """Table and column."""
        return f"{self.model.__tablename__}.{self.column.key}"

    def _has_prefix(self, key_id: str) -> ColumnElement[bool]:
        prefix = envelope_prefix(key_id)
        return func.substring(self.column, 1, len(prefix)) == prefix

    def count(self, session: Session, key_id: str) -> int:
        """Return how many envelopes are sealed with this key."""
        query = select(func.count()).select_from(self.model).where(self.column.is_not(None), self._has_prefix(key_id))
        return session.scalars(query).one()

    def reseal_batch(self, session: Session, ring: KeyRing, after: tuple[Any, ...] | None, limit: int) -> "Batch":
        """Seal up to ``limit`` rows anew, in key order, beginning behind ``after``.

        A row that somebody else changes meanwhile is waited for. One that does not open is named and left as it is.
        """
        keys = [self.model.__table__.c[column.name] for column in inspect(self.model).primary_key]
        current = ring.ids[0]
        query = (
            select(self.model)
            .where(self.column.is_not(None), ~self._has_prefix(current))
            .options(undefer(self.column))
            .order_by(*keys)
            .limit(limit)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if after is not None:
            query = query.where(tuple_(*keys) > tuple_(*after))
        done, damaged, last = 0, list[str](), after
        for row in session.scalars(query):
            last = tuple(getattr(row, key.name) for key in keys)
            try:
                binding = self.binding(session, row)
                setattr(row, self.column.key, ring.seal(ring.open(getattr(row, self.column.key), binding), binding))
                done += 1
            except AppError as error:
                damaged.append(f"{self.name} {last}: {error.detail}")
        session.flush()
        return Batch(done, damaged, last if done + len(damaged) == limit else None)


@dataclass(frozen=True)
class Batch:
    """What one batch did. ``last`` is where the next begins; None at the end."""

    done: int
    damaged: list[str]
    last: tuple[Any, ...] | None
