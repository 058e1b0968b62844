"""Compaction: the chunks of a complete stream become artifacts, each with an index of its blocks.

What is written is read and put together without a transaction, since a complete stream does not change; one short
transaction then points at the artifacts and removes the chunks. A fall in between leaves artifacts that nothing names,
which the next try writes again under the same keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import zstandard
from sqlalchemy.orm import Session

from app.core import clock
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.progress import reading, repository
from app.progress.models import ProgressSegment

KIND = "log"
AGE = timedelta(seconds=60)
"""A stream that was just closed is being read by those who watched it."""
BATCH = 50
BLOCK_RECORDS = 2000
BLOCK_BYTES = 256 * 1024
SEGMENT_BYTES = 4 * 1024 * 1024
_CHUNKS_AT_ONCE = 32


@dataclass
class _Segment:
    """A segment that grows. ``first`` to, not including, ``next`` is what its blocks hold."""

    first: int
    next: int
    blocks: list[list[int]] = field(default_factory=list)
    content: bytearray = field(default_factory=bytearray)

    def add(self, first: int, next_offset: int, body: bytes) -> None:
        """Add a block: the records as a JSON array."""
        self.blocks.append([first, len(self.content)])
        self.content += zstandard.compress(body, 9)
        self.next = next_offset


def due(session: Session) -> list[str]:
    """Return runs whose complete streams wait to be compacted."""
    return list(repository.to_compact(session, clock.now() - AGE, BATCH))


def compact(run_id: str) -> bool:
    """Compact a complete stream, in transactions of its own. Returns whether this call did it.

    Of two at once one does it, and a stream that was removed meanwhile stays so.
    """
    with unit_of_work() as session:
        stream = repository.stream(session, run_id)
        if stream is None or stream.closed_at is None or stream.compacted_at is not None or stream.removed_at:
            return False
        organization_id, end = stream.organization_id, stream.next_offset
        begin = max((segment.last_offset + 1 for segment in repository.segments(session, run_id)), default=0)
    stored: list[tuple[_Segment, ArtifactRef]] = []
    for segment in _segments(organization_id, run_id, begin, end):
        reference = artifact_store().put(
            bytes(segment.content), organization_id=organization_id, kind=KIND, owner=run_id
        )
        segment.content.clear()
        stored.append((segment, reference))
    with unit_of_work() as session:
        return _switch(session, run_id, begin, end, stored)


def _switch(session: Session, run_id: str, begin: int, end: int, stored: list[tuple[_Segment, ArtifactRef]]) -> bool:
    stream = repository.lock_stream(session, run_id)
    if stream is None or stream.compacted_at is not None or stream.removed_at is not None:
        return False
    if (stored[-1][0].next if stored else begin) != end or stream.next_offset != end:
        # More has come since; the next sweep sees it.
        return False
    for segment, reference in stored:
        session.add(
            ProgressSegment(
                run_id=run_id,
                first_offset=segment.first,
                last_offset=segment.next - 1,
                artifact=reference.model_dump(),
                blocks=segment.blocks,
            )
        )
    repository.remove_chunks(session, run_id, end)
    stream.compacted_at = clock.now()
    session.flush()
    return True


def _segments(organization_id: str, run_id: str, begin: int, end: int) -> Iterator[_Segment]:
    segment = _Segment(begin, begin)
    for first, following, body in _blocks(organization_id, run_id, begin, end):
        segment.add(first, following, body)
        if len(segment.content) >= SEGMENT_BYTES:
            yield segment
            segment = _Segment(following, following)
    if segment.blocks:
        yield segment


def _blocks(organization_id: str, run_id: str, begin: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield first offset, offset after the last, and the records as a JSON array, chunks put together."""
    parts: list[bytes] = []
    first, size = begin, 0
    for chunk_first, following, body in _chunks(organization_id, run_id, begin, end):
        parts.append(body[1:-1])
        size += len(body)
        if following - first >= BLOCK_RECORDS or size >= BLOCK_BYTES or following >= end:
            yield first, following, b"[" + b",".join(parts) + b"]"
            parts, first, size = [], following, 0
        del chunk_first


def _chunks(organization_id: str, run_id: str, begin: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    cursor = begin
    while cursor < end:
        with unit_of_work() as session:
            chunks = repository.chunks_from(session, run_id, cursor, _CHUNKS_AT_ONCE)
        for chunk in chunks:
            if chunk.first_offset != cursor:
                return
            opened = key_ring().open(chunk.sealed, reading.binding(organization_id, run_id, cursor))
            cursor = chunk.last_offset + 1
            yield chunk.first_offset, cursor, zstandard.decompress(opened)
        if not chunks:
            return
