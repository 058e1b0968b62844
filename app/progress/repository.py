"""Queries of progress."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Integer, Row, Table, and_, bindparam, case, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.core import clock
from app.progress.models import ProgressChunk, ProgressSegment, ProgressStream, ProgressTiming

# Tables rather than mapped classes: each run appends many times, and nobody reads back through the same session.
_STREAMS = cast(Table, ProgressStream.__table__)
_CHUNKS = cast(Table, ProgressChunk.__table__)
_TAKE_OFFSETS = (
    update(_STREAMS)
    .where(_STREAMS.c.run_id == bindparam("stream"))
    .values(next_offset=_STREAMS.c.next_offset + bindparam("count"))
    .returning(_STREAMS.c.organization_id, _STREAMS.c.workspace_id, _STREAMS.c.next_offset)
)
_ADD_STREAM = insert(_STREAMS)
_ADD_CHUNK = insert(_CHUNKS)
_CLOSE = (
    update(_STREAMS)
    .where(_STREAMS.c.run_id == bindparam("stream"), _STREAMS.c.closed_at.is_(None))
    .values(closed_at=bindparam("at"))
)
# Made once: every batch of every run that is watched is read by these.
_STREAM = (
    select(ProgressStream).where(ProgressStream.run_id == bindparam("stream")).execution_options(populate_existing=True)
)
_CHUNKS_FROM = (
    select(_CHUNKS.c.first_offset, _CHUNKS.c.last_offset, _CHUNKS.c.sealed)
    .where(_CHUNKS.c.run_id == bindparam("stream"), _CHUNKS.c.last_offset >= bindparam("offset"))
    .order_by(_CHUNKS.c.first_offset)
    .limit(bindparam("most", type_=Integer))
)
_STREAM_AND_CHUNKS = (
    select(ProgressStream, _CHUNKS.c.first_offset, _CHUNKS.c.last_offset, _CHUNKS.c.sealed)
    .outerjoin(
        _CHUNKS,
        and_(_CHUNKS.c.run_id == bindparam("stream"), _CHUNKS.c.last_offset >= bindparam("offset")),
    )
    .where(ProgressStream.run_id == bindparam("stream"))
    .order_by(_CHUNKS.c.first_offset)
    .limit(bindparam("most", type_=Integer))
    .execution_options(populate_existing=True)
)


class Taken(NamedTuple):
    """Offsets that were given: those before ``next_offset``."""

    organization_id: str
    workspace_id: str
    next_offset: int


class Chunk(NamedTuple):
    """Records ``first_offset`` to ``last_offset`` of a stream, compressed and sealed."""

    first_offset: int
    last_offset: int
    sealed: bytes


def add_stream(session: Session, run_id: str, organization_id: str, workspace_id: str, *, next_offset: int) -> None:
    """Begin a stream, whose offsets before ``next_offset`` are taken."""
    session.connection().execute(
        _ADD_STREAM,
        {
            "run_id": run_id,
            "organization_id": organization_id,
            "workspace_id": workspace_id,
            "next_offset": next_offset,
            "created_at": clock.now(),
        },
    )


def take_offsets(session: Session, run_id: str, count: int) -> Taken | None:
    """Advance the stream by ``count`` offsets; return whose it is and the offset after; None without a stream.

    The UPDATE's row lock is held until commit, so whoever appends next waits: commit order is offset order.
    """
    row = session.connection().execute(_TAKE_OFFSETS, {"stream": run_id, "count": count}).one_or_none()
    return Taken(*row) if row is not None else None


def take_one_of_each(
    session: Session, run_ids: Sequence[str], *, closing: Sequence[str], at: datetime
) -> Sequence[tuple[str, str, int]]:
    """Advance each of the streams by one offset, and mark those of ``closing`` as complete.

    Returns (run, organization, the offset after) of those that exist.
    """
    is_last = _STREAMS.c.run_id.in_(closing) & _STREAMS.c.closed_at.is_(None)
    taken = (
        update(_STREAMS)
        .where(_STREAMS.c.run_id.in_(run_ids))
        .values(next_offset=_STREAMS.c.next_offset + 1, closed_at=case((is_last, at), else_=_STREAMS.c.closed_at))
        .returning(_STREAMS.c.run_id, _STREAMS.c.organization_id, _STREAMS.c.next_offset)
    )
    return [(row.run_id, row.organization_id, row.next_offset) for row in session.connection().execute(taken)]


def add_single_chunks(session: Session, sealed: Sequence[tuple[str, int, bytes]]) -> None:
    """Add to each stream one record: (run, offset, envelope)."""
    at = clock.now()
    rows = [
        {"run_id": run_id, "first_offset": offset, "last_offset": offset, "sealed": envelope, "created_at": at}
        for run_id, offset, envelope in sealed
    ]
    session.connection().execute(_ADD_CHUNK, rows)


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
    return session.scalars(_STREAM, {"stream": run_id}).one_or_none()


def stream_and_chunks(
    session: Session, run_id: str, offset: int, limit: int
) -> tuple[ProgressStream | None, list[Chunk]]:
    """Return the run's stream, and what ``chunks_from`` does: one question, since every batch is asked for by it."""
    given = {"stream": run_id, "offset": offset, "most": limit}
    rows = session.execute(_STREAM_AND_CHUNKS, given).all()
    if not rows:
        return None, []
    return rows[0][0], [Chunk(*chunk) for _, *chunk in rows if chunk[0] is not None]


def lock_stream(session: Session, run_id: str) -> ProgressStream | None:
    """Lock the run's stream and return it; who appends, removes or compacts it meanwhile waits."""
    return session.scalars(
        select(ProgressStream).filter_by(run_id=run_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def chunks_from(session: Session, run_id: str, offset: int, limit: int) -> Sequence[Chunk]:
    """Return up to ``limit`` chunks that hold ``offset`` or later, in order."""
    given = {"stream": run_id, "offset": offset, "most": limit}
    return [Chunk(*row) for row in session.connection().execute(_CHUNKS_FROM, given)]


def segment_at(session: Session, run_id: str, offset: int) -> ProgressSegment | None:
    """Return the segment that holds ``offset``."""
    return session.scalars(
        select(ProgressSegment).where(
            ProgressSegment.run_id == run_id,
            ProgressSegment.first_offset <= offset,
            ProgressSegment.last_offset >= offset,
        )
    ).one_or_none()


def segments(session: Session, run_id: str) -> Sequence[ProgressSegment]:
    """Return all segments of the stream, in order."""
    return session.scalars(select(ProgressSegment).filter_by(run_id=run_id).order_by("first_offset")).all()


def names_artifact(session: Session, run_id: str, key: str) -> bool:
    """Whether a segment of the stream lies under this key of the artifact store."""
    found = exists().where(ProgressSegment.run_id == run_id, ProgressSegment.artifact["key"].astext == key)
    return bool(session.scalar(select(found)))


def close(session: Session, run_id: str, at: datetime) -> None:
    """Mark the stream as complete; twice is once."""
    session.connection().execute(_CLOSE, {"stream": run_id, "at": at})


def to_compact(session: Session, before: datetime, limit: int) -> Sequence[str]:
    """Return streams that were complete before ``before`` and still lie in chunks, oldest first."""
    return session.scalars(
        select(ProgressStream.run_id)
        .where(
            ProgressStream.closed_at < before,
            ProgressStream.compacted_at.is_(None),
            ProgressStream.removed_at.is_(None),
        )
        .order_by(ProgressStream.closed_at)
        .limit(limit)
    ).all()


def remove_chunks(session: Session, run_id: str, before_offset: int) -> None:
    """Remove the chunks of records before ``before_offset``."""
    session.execute(
        delete(ProgressChunk).where(ProgressChunk.run_id == run_id, ProgressChunk.last_offset < before_offset)
    )


def remove(session: Session, run_id: str, at: datetime) -> None:
    """Remove every record of the stream, which stays as a name."""
    session.execute(delete(ProgressChunk).where(ProgressChunk.run_id == run_id))
    session.execute(delete(ProgressSegment).where(ProgressSegment.run_id == run_id))
    session.execute(delete(ProgressTiming).where(ProgressTiming.run_id == run_id))
    session.execute(update(ProgressStream).where(ProgressStream.run_id == run_id).values(removed_at=at))


def add_timings(session: Session, rows: list[dict[str, Any]]) -> None:
    """Note how long resources took; what is there already stays."""
    session.connection().execute(postgresql.insert(ProgressTiming).on_conflict_do_nothing(), rows)


def latest_timed(session: Session, workspace_id: str, limit: int) -> Sequence[str]:
    """Return the newest runs of a workspace that have timings, newest first."""
    return session.scalars(
        select(ProgressTiming.run_id)
        .where(ProgressTiming.workspace_id == workspace_id)
        .group_by(ProgressTiming.run_id)
        .order_by(ProgressTiming.run_id.desc())
        .limit(limit)
    ).all()


def timings(session: Session, run_ids: Sequence[str]) -> Sequence[Row[str, str, str, str, float]]:
    """Return run, address, action, type and seconds of everything that was timed in these runs."""
    found = ProgressTiming
    return session.execute(
        select(found.run_id, found.address, found.action, found.resource_type, found.seconds).where(
            found.run_id.in_(run_ids)
        )
    ).all()
