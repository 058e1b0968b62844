"""Reading a stream by offset, wherever its records lie: in chunks while a run goes on, later in artifacts."""

import bisect
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import zstandard
from pydantic_core import from_json, to_json
from sqlalchemy.orm import Session

from app.core.artifacts import ArtifactRef, artifact_store
from app.core.crypto import Binding, key_ring
from app.core.errors import IntegrityError, NotFound
from app.core.settings import get_settings
from app.progress import repository
from app.progress.errors import LogRemoved, StreamNotFound
from app.progress.models import ProgressSegment, ProgressStream
from app.progress.repository import Chunk

MAX_RECORDS = 5000
MAX_BYTES = 400_000
"""Of text and data in one answer, so that a WebSocket frame stays below the mebibyte that many clients accept."""
_CHUNKS_AT_ONCE = 32
_KEPT_SEGMENTS = 6
Item = dict[str, Any]


@dataclass(frozen=True)
class EncodedPage:
    """A page as JSON (``ProgressPage``)."""

    next: int
    closed: bool
    body: bytes


@dataclass(frozen=True)
class Batch:
    """Records from ``first`` on, as they are stored."""

    first: int
    items: list[Item]


def require(session: Session, run_id: str, organization_id: str) -> ProgressStream:
    """Return the stream. Raises ``StreamNotFound`` when it isn't the organization's, ``LogRemoved`` when too old."""
    return _checked(repository.stream(session, run_id), run_id, organization_id)


def _checked(stream: ProgressStream | None, run_id: str, organization_id: str) -> ProgressStream:
    if stream is None or stream.organization_id != organization_id:
        raise StreamNotFound(f"There is no run {run_id}.")
    if stream.removed_at is not None:
        raise LogRemoved(
            f"The log of {run_id} was removed at {stream.removed_at:%Y-%m-%d}, after "
            f"{get_settings().run_artifacts_days} days (SLUICE_RUN_ARTIFACTS_DAYS). The run and its decisions are kept."
        )
    return stream


def page(
    session: Session, run_id: str, *, organization_id: str, after: int, limit: int
) -> tuple[list[Item], int, bool]:
    """Return up to ``limit`` records from ``after`` on, the offset that follows, and whether that is the end."""
    found, chunks = repository.stream_and_chunks(session, run_id, after, _CHUNKS_AT_ONCE)
    stream = _checked(found, run_id, organization_id)
    limit = min(limit, MAX_RECORDS)
    records: list[Item] = []
    left = MAX_BYTES
    if after < stream.next_offset:
        for batch in _batches(session, stream, after, chunks):
            for position, item in enumerate(batch.items, start=batch.first):
                if len(records) >= limit or left <= 0:
                    break
                records.append(
                    {
                        "offset": position,
                        "at": item["at"],
                        "kind": item["kind"],
                        "stream": item.get("stream", "system"),
                        "text": item.get("text", ""),
                        "data": item.get("data", {}),
                    }
                )
                left -= _size(item)
            if len(records) >= limit or left <= 0:
                break
    following = after + len(records) if records else min(max(after, 0), stream.next_offset)
    return records, following, stream.closed_at is not None and following >= stream.next_offset


def encoded(session: Session, run_id: str, *, organization_id: str, after: int, limit: int) -> EncodedPage:
    """Return the same as JSON, without a model a record: there may be a million of them."""
    records, following, closed = page(session, run_id, organization_id=organization_id, after=after, limit=limit)
    return EncodedPage(following, closed, to_json({"records": records, "next": following, "closed": closed}))


def _size(item: Item) -> int:
    text = item.get("text", "")
    data = item.get("data")
    return (len(text) if text.isascii() else len(text.encode())) + (len(to_json(data)) if data else 0)


def binding(organization_id: str, run_id: str, first_offset: int) -> Binding:
    """Return what a chunk is bound to."""
    return Binding(organization_id, "progress", run_id, str(first_offset))


def _batches(session: Session, stream: ProgressStream, after: int, first: Sequence[Chunk]) -> Iterator[Batch]:
    """Yield what is stored from ``after`` on, in order; ``first`` is what ``chunks_from`` says of ``after``.

    Chunks are looked for first, then segments: records move from the former to the latter in one transaction, so what
    is not found as a chunk any more is found in a segment.
    """
    cursor, end = after, stream.next_offset
    known: Sequence[Chunk] | None = first
    while cursor < end:
        chunks = known
        if chunks is None:
            chunks = repository.chunks_from(session, stream.run_id, cursor, _CHUNKS_AT_ONCE)
        known = None
        if chunks and chunks[0].first_offset <= cursor:
            for chunk in chunks:
                if chunk.first_offset > cursor:
                    break
                body = key_ring().open(chunk.sealed, binding(stream.organization_id, stream.run_id, chunk.first_offset))
                yield _from(cursor, Batch(chunk.first_offset, from_json(zstandard.decompress(body))))
                cursor = chunk.last_offset + 1
            continue
        segment = repository.segment_at(session, stream.run_id, cursor)
        content = _content(segment) if segment is not None else None
        if segment is None or content is None:
            # Removed since the stream was read, else damaged.
            require(session, stream.run_id, stream.organization_id)
            raise IntegrityError(f"Records of {stream.run_id} from {cursor} on are missing.")
        # Its blocks begin elsewhere than the chunks that were read before it took the rest.
        yield from (_from(cursor, batch) for batch in _blocks(segment, content, cursor))
        cursor = segment.last_offset + 1


def _from(offset: int, batch: Batch) -> Batch:
    """Return what of a batch is not before ``offset``."""
    return batch if batch.first >= offset else Batch(offset, batch.items[offset - batch.first :])


def _content(segment: ProgressSegment) -> bytes | None:
    """Return what a segment holds; None when the artifact store has it no more."""
    try:
        return _segments.get(ArtifactRef.model_validate(segment.artifact))
    except NotFound:
        return None


def _blocks(segment: ProgressSegment, content: bytes, offset: int) -> Iterator[Batch]:
    firsts = [first for first, _ in segment.blocks]
    starts = [*(start for _, start in segment.blocks), len(content)]
    for number in range(bisect.bisect_right(firsts, offset) - 1, len(firsts)):
        yield Batch(firsts[number], from_json(zstandard.decompress(content[starts[number] : starts[number + 1]])))


class _Segments:
    """The segments that were read last, so that a reader of page after page opens each once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, reference: ArtifactRef) -> bytes:
        with self._lock:
            if (kept := self._kept.get(reference.key)) is not None:
                self._kept.move_to_end(reference.key)
                return kept
        content = artifact_store().get(reference)
        with self._lock:
            self._kept[reference.key] = content
            while len(self._kept) > _KEPT_SEGMENTS:
                self._kept.popitem(last=False)
        return content

    def forget(self, key: str) -> None:
        with self._lock:
            self._kept.pop(key, None)


_segments = _Segments()


def forget(reference: ArtifactRef) -> None:
    """Let go of a segment that is removed."""
    _segments.forget(reference.key)
