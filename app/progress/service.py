"""Append to a run's stream and read it by offset."""

import json
from functools import partial

import zstandard
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from app.core import clock
from app.core.crypto import Binding, key_ring
from app.core.db import after_commit
from app.core.settings import get_settings
from app.progress import repository
from app.progress.doorbell import doorbell
from app.progress.errors import LogRemoved, StreamNotFound
from app.progress.models import ProgressStream
from app.progress.schemas import NewRecord, ProgressPage, Record

MAX_RECORDS = 5000
MAX_CHARACTERS = 400_000
"""Of text in one answer, so that a WebSocket frame stays below the mebibyte that many clients accept."""
_MAX_CHUNKS = 200
_RECORDS = TypeAdapter(list[NewRecord])


def open_stream(session: Session, *, run_id: str, organization_id: str, workspace_id: str) -> None:
    """Begin the stream of a new run."""
    session.add(
        ProgressStream(run_id=run_id, organization_id=organization_id, workspace_id=workspace_id, next_offset=0)
    )
    session.flush()


def append(session: Session, run_id: str, records: list[NewRecord]) -> int:
    """Append ``records`` in order and return the offset after the last.

    They become readable at commit, together; watchers are told then. Raises ``StreamNotFound``.
    """
    if not records:
        return 0
    taken = repository.take_offsets(session, run_id, len(records))
    if taken is None:
        raise StreamNotFound(f"There is no run {run_id}.")
    organization_id, following = taken
    first = following - len(records)
    body = _RECORDS.dump_json(records, exclude_defaults=True)
    sealed = key_ring().seal(zstandard.compress(body, 3), binding(organization_id, run_id, first))
    repository.add_chunk(session, run_id, first, following - 1, sealed)
    after_commit(session, partial(doorbell().ring, run_id, following))
    return following


def close_stream(session: Session, run_id: str) -> None:
    """Say that no record will be added any more."""
    repository.close(session, run_id, clock.now())
    after_commit(session, partial(doorbell().ring, run_id, -1))


def remove(session: Session, run_id: str) -> None:
    """Remove what a run that has ended said."""
    repository.remove(session, run_id, clock.now())


def read(session: Session, run_id: str, *, organization_id: str, after: int, limit: int = 1000) -> ProgressPage:
    """Return up to ``limit`` records whose offset is ``after`` or greater; fewer, but one, when their text is long.

    Raises ``StreamNotFound`` when the run is not the organization's, and ``LogRemoved`` when it is too old.
    """
    stream = repository.stream(session, run_id)
    if stream is None or stream.organization_id != organization_id:
        raise StreamNotFound(f"There is no run {run_id}.")
    if stream.removed_at is not None:
        raise LogRemoved(
            f"The log of {run_id} was removed at {stream.removed_at:%Y-%m-%d}, after "
            f"{get_settings().run_artifacts_days} days (SLUICE_RUN_ARTIFACTS_DAYS). The run and its decisions are kept."
        )
    limit = min(limit, MAX_RECORDS)
    records: list[Record] = []
    left = MAX_CHARACTERS
    if after < stream.next_offset:
        for chunk in repository.chunks_from(session, run_id, after, _MAX_CHUNKS):
            body = key_ring().open(chunk.sealed, binding(organization_id, run_id, chunk.first_offset))
            for position, item in enumerate(json.loads(zstandard.decompress(body)), start=chunk.first_offset):
                if position >= after and len(records) < limit and left > 0:
                    records.append(Record(offset=position, **item))
                    left -= len(records[-1].text)
            if len(records) >= limit or left <= 0:
                break
    following = records[-1].offset + 1 if records else min(max(after, 0), stream.next_offset)
    closed = stream.closed_at is not None and following >= stream.next_offset
    return ProgressPage(records=records, next=following, closed=closed)


def binding(organization_id: str, run_id: str, first_offset: int) -> Binding:
    """Return what a chunk is bound to."""
    return Binding(organization_id, "progress", run_id, str(first_offset))
