"""Queries of progress."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.progress.models import ProgressChunk, ProgressStream


def take_offsets(session: Session, run_id: str, count: int) -> ProgressStream | None:
    """Advance the stream by ``count`` offsets and return it as it is after; None when there is no such stream.

    The UPDATE's row lock is held until commit, so whoever appends next waits: commit order is offset order.
    """
    return session.scalars(
        update(ProgressStream)
        .where(ProgressStream.run_id == run_id)
        .values(next_offset=ProgressStream.next_offset + count)
        .returning(ProgressStream)
        .execution_options(populate_existing=True)
    ).one_or_none()


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
