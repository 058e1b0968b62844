"""Append to a run's stream and read it by offset."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import zstandard
from pydantic_core import to_json
from sqlalchemy.orm import Session

from app.core import clock
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.crypto import key_ring
from app.core.db import after_commit
from app.core.texts import neutral, neutral_value
from app.progress import reading, repository
from app.progress.compacting import compact, due
from app.progress.doorbell import doorbell
from app.progress.errors import StreamNotFound
from app.progress.reading import MAX_BYTES, MAX_RECORDS, EncodedPage, binding
from app.progress.schemas import ProgressPage, Record, Unplaced

__all__ = [
    "MAX_BYTES",
    "MAX_RECORDS",
    "EncodedPage",
    "Timed",
    "append",
    "append_to_each",
    "binding",
    "close_stream",
    "compact",
    "due",
    "end_of",
    "history",
    "keeps_artifact",
    "open_stream",
    "read",
    "read_encoded",
    "remove",
]
_LONGEST_ADDRESS = 1000


class Timed(NamedTuple):
    """How long one resource took in one apply."""

    run_id: str
    address: str
    action: str
    resource_type: str
    seconds: float


def open_stream(
    session: Session, *, run_id: str, organization_id: str, workspace_id: str, records: Sequence[Unplaced] = ()
) -> None:
    """Begin the stream of a new run, with its first ``records``."""
    repository.add_stream(session, run_id, organization_id, workspace_id, next_offset=len(records))
    if records:
        _add(session, repository.Taken(organization_id, workspace_id, len(records)), run_id, records)


def append(session: Session, run_id: str, records: Sequence[Unplaced]) -> int:
    """Append ``records`` in order and return the offset after the last.

    They become readable at commit, together; watchers are told then. Control characters in them are made neutral,
    whoever wrote them. Raises ``StreamNotFound``.
    """
    if not records:
        return 0
    taken = repository.take_offsets(session, run_id, len(records))
    if taken is None:
        raise StreamNotFound(f"There is no run {run_id}.")
    _add(session, taken, run_id, records)
    return taken.next_offset


def _add(session: Session, taken: repository.Taken, run_id: str, records: Sequence[Unplaced]) -> None:
    """Add records at the offsets that were taken for them, and tell the watchers after commit."""
    first = taken.next_offset - len(records)
    body = to_json([_stored(record) for record in records])
    sealed = key_ring().seal(zstandard.compress(body, 3), binding(taken.organization_id, run_id, first))
    repository.add_chunk(session, run_id, first, taken.next_offset - 1, sealed)
    if timed := _timed(run_id, taken.workspace_id, records):
        repository.add_timings(session, timed)
    after_commit(session, partial(doorbell().ring, run_id, taken.next_offset))


def _stored(record: Unplaced) -> dict[str, Any]:
    """Return a record as it is stored: without what is as usual, harmless to look at."""
    item: dict[str, Any] = {"at": record.at, "kind": record.kind}
    if record.stream != "system":
        item["stream"] = record.stream
    if record.text:
        item["text"] = neutral(record.text)
    if record.data:
        item["data"] = neutral_value(record.data)
    return item


def _timed(run_id: str, workspace_id: str, records: Sequence[Unplaced]) -> list[dict[str, Any]]:
    """Return what these records tell of resources that are done."""
    found = []
    for record in records:
        data = record.data
        if record.kind != "event" or data.get("type") != "apply_complete":
            continue
        seconds = data.get("seconds", data.get("elapsed_seconds"))
        address = data.get("address")
        if isinstance(seconds, int | float) and isinstance(address, str) and len(address) <= _LONGEST_ADDRESS:
            found.append(
                {
                    "run_id": run_id,
                    "workspace_id": workspace_id,
                    "address": neutral(address),
                    "action": neutral(str(data.get("action", ""))),
                    "resource_type": neutral(str(data.get("resource_type", ""))),
                    "seconds": float(seconds),
                }
            )
    return found


def history(session: Session, workspace_id: str, applies: int) -> list[Timed]:
    """Return how long resources took in the newest ``applies`` applies of a workspace, newest apply first."""
    runs: Sequence[str] = repository.latest_timed(session, workspace_id, applies)
    order = {run_id: number for number, run_id in enumerate(runs)}
    found = [Timed(*row) for row in repository.timings(session, runs)] if runs else []
    return sorted(found, key=lambda timed: order[timed.run_id])


def append_to_each(session: Session, records: Mapping[str, Unplaced], closing: Collection[str] = ()) -> None:
    """Append one record to each of many streams in a handful of statements, and close those of ``closing``.

    The caller holds the runs' row locks, so that nobody waits for two of these streams in another order. Watchers are
    told by a thread of its own: a Redis that hangs must hold up nobody who halts.
    """
    if not records:
        return
    taken = repository.take_one_of_each(session, list(records), closing=list(closing), at=clock.now())
    sealed = [
        (
            run_id,
            following - 1,
            key_ring().seal(
                zstandard.compress(to_json([_stored(records[run_id])]), 3),
                binding(organization_id, run_id, following - 1),
            ),
        )
        for run_id, organization_id, following in taken
    ]
    if sealed:
        repository.add_single_chunks(session, sealed)
    offsets = {run_id: -1 if run_id in closing else following for run_id, _, following in taken}
    after_commit(session, partial(doorbell().ring_all, offsets))


def close_stream(session: Session, run_id: str) -> None:
    """Say that no record will be added any more."""
    repository.close(session, run_id, clock.now())
    after_commit(session, partial(doorbell().ring, run_id, -1))


def remove(session: Session, run_id: str) -> None:
    """Remove what a run that has ended said."""
    for segment in repository.segments(session, run_id):
        reference = ArtifactRef.model_validate(segment.artifact)
        after_commit(session, partial(artifact_store().delete, reference))
        after_commit(session, partial(reading.forget, reference))
    repository.remove(session, run_id, clock.now())


def keeps_artifact(session: Session, run_id: str, key: str) -> bool:
    """Whether part of the run's log lies under this key of the artifact store."""
    return repository.names_artifact(session, run_id, key)


def read(session: Session, run_id: str, *, organization_id: str, after: int, limit: int = 1000) -> ProgressPage:
    """Return up to ``limit`` records whose offset is ``after`` or greater; fewer, but one, when their text is long.

    Raises ``StreamNotFound`` when the run is not the organization's, and ``LogRemoved`` when it is too old.
    """
    records, following, closed = reading.page(
        session, run_id, organization_id=organization_id, after=after, limit=limit
    )
    return ProgressPage(records=[Record(**record) for record in records], next=following, closed=closed)


def read_encoded(session: Session, run_id: str, *, organization_id: str, after: int, limit: int = 1000) -> EncodedPage:
    """Return the same as JSON. Raises what ``read`` raises."""
    return reading.encoded(session, run_id, organization_id=organization_id, after=after, limit=limit)


def end_of(session: Session, run_id: str, organization_id: str) -> int:
    """Return the offset that the stream's next record gets. Raises what ``read`` raises."""
    return reading.require(session, run_id, organization_id).next_offset
