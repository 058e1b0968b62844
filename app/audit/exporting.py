"""Exporting the trail as JSON Lines, a page a transaction, with the checkpoints between the events that they have.

The first line is a ``header`` (organization, filter, public keys, newest checkpoint), the last one an ``end`` with how
many events came, without which an export was cut short. In between stand ``event`` and ``checkpoint`` lines, in the
order of the chain. An export with a filter has gaps, so it carries no checkpoints.
"""

import json
from collections.abc import Iterator
from typing import Any

from app.audit import repository
from app.audit.checkpoint_store import ListedCheckpoint, found_in_store, newest_valid
from app.audit.schemas import ExportFilter
from app.core import clock
from app.core.chain import EXPORT_FORMAT
from app.core.checkpoints import SigningKeys, Trust
from app.core.crypto import key_ring
from app.core.db import unit_of_work

BATCH = 1000


def lines(organization_id: str, wanted: ExportFilter) -> Iterator[str]:
    """Yield the lines of an export, each ended. Raises what the artifact store raises, before the first."""
    keys = SigningKeys(key_ring())
    stored = [] if wanted.has_gaps else [one for one in found_in_store(organization_id) if one.position > wanted.after]
    newest = newest_valid(stored, Trust(keys.public))
    header = {
        "type": "header",
        "format": EXPORT_FORMAT,
        "organization_id": organization_id,
        "exported_at": clock.now().isoformat(),
        "filter": wanted.model_dump(mode="json"),
        "keys": [key.model_dump() for key in keys.public],
        "checkpoint": newest.document() if newest is not None else None,
    }
    return _lines(header, organization_id, wanted, stored)


def _lines(
    header: dict[str, Any], organization_id: str, wanted: ExportFilter, stored: list[ListedCheckpoint]
) -> Iterator[str]:
    yield _line(header)
    position, count, head_hash = wanted.after, 0, None
    coming = iter(stored)
    following = next(coming, None)
    while True:
        with unit_of_work() as session:
            events = repository.filtered_after(session, organization_id, position, wanted, BATCH)
        for event in events:
            while following is not None and following.position < event.position:
                yield _checkpoint(following)
                following = next(coming, None)
            yield _line(event.to_line())
            position, head_hash = event.position, event.hash
        count += len(events)
        if len(events) < BATCH:
            break
    while following is not None:
        yield _checkpoint(following)
        following = next(coming, None)
    yield _line({"type": "end", "events": count, "position": position, "hash": head_hash})


def _checkpoint(listed: ListedCheckpoint) -> str:
    found = listed.read().checkpoint
    return _line(
        {
            "type": "checkpoint",
            "sequence": listed.sequence,
            "position": listed.position,
            "digest": listed.reference.digest,
            "document": found.document() if found is not None else None,
        }
    )


def _line(value: dict[str, Any]) -> str:
    return f"{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n"
