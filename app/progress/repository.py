"""Queries of progress."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from app.core import clock
from app.progress.models import ProgressChunk, ProgressStream

# Tables rather than mapped classes: each run appends many times, and nobody reads back through the same session.
_STREAMS = cast(Table, ProgressStream.__table__)
_CHUNKS = cast(Table, ProgressChunk.__table__)
_TAKE_OFFSETS = (
    update(_STREAMS)
    .where(_STREAMS.c.run_id == bindparam("stream"))
    .values(next_offset=_STREAMS.c.next_offset + bindparam("count"))
    .returning(_STREAMS.c.organization_id, _STREAMS.c.next_offset)
)
_ADD_CHUNK = insert(_CHUNKS)


def take_offsets(session: Session, run_id: str, count: int) -> tuple[str, int] | None:
    """Advance the stream by ``count`` offsets; return its organization and the offset after; None without a stream.

    The UPDATE's row lock is held until commit, so whoever appends next waits: commit order is offset order.
    """
    row = session.connection().execute(_TAKE_OFFSETS, {"stream": run_id, "count": count}).one_or_none()
    return (row.organization_id, row.next_offset) if row is not None else None


def add_chunk(session: Session, run_id: str, first_offset: int, last_offset: int, sealed: bytes) -> None:
    """Add the records from ``first_offset`` to ``last_offset``."""
    session.connection().execute(
        _ADD_CHUNK,
        {
            "run_id": run_id,
            "first_offset": first_offset,
            "last_offset": last_offset,
            "sealed": sealed,
            "created_at": clock.now(),
        },
    )


def stream(session: Session, run_id: str) -> ProgressStream | None:
    """Return the run's stream."""
    return session.scalars(
        select(ProgressStream).filter_by(run_id=run_id).execution_options(populate_existing=True)
    ).one_or_none()


def chunks_from(session: Session, run_id: str, offset: int, limit: int) -> Sequence[ProgressChunk]:
    """Return up to ``limit`` chunks that hold ``offset`` or later, in order."""
    return session.scalars(
        select(ProgressChunk)
        .where(ProgressChunk.run_id == run_id, ProgressChunk.last_offset >= offset)
        .order_by(ProgressChunk.first_offset)
        .limit(limit)
    ).all()


def close(session: Session, run_id: str, at: datetime) -> None:
    """Mark the stream as complete; twice is once."""
    session.execute(
        update(ProgressStream)
        .where(ProgressStream.run_id == run_id, ProgressStream.closed_at.is_(None))
        .values(closed_at=at)
    )


def remove(session: Session, run_id: str, at: datetime) -> None:
    """Remove every record of the stream, which stays as a name."""
    session.execute(delete(ProgressChunk).where(ProgressChunk.run_id == run_id))
    session.execute(update(ProgressStream).where(ProgressStream.run_id == run_id).values(removed_at=at))
