"""Rotating the master key: composition root of `sluice keys`, beside a running system or alone.

A new key is put first: from then on every process seals with it, and all keys open. Then everything is sealed anew, and
when nothing is left that needs the old key, it is removed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import text

from app import registry
from app.audit import service as audit
from app.core.artifacts import artifact_store
from app.core.crypto import KeyFile, MasterKeyError, key_file, key_ring, new_key
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.settings import get_settings

BATCH = 200
_IN_VARIABLE = "The keys are in SLUICE_MASTER_KEY, which only you can change: "


class KeyInUse(AppError):
    """The master key still seals something, or is the one that seals now."""

    status = 409
    code = "key_in_use"
    title = "The key is needed"


@dataclass
class Report:
    """What a pass did: how many envelopes by place, and which did not open."""

    resealed: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def add() -> str:
    """Put a fresh key first in the key file; return its id.

    Raises ``MasterKeyError`` when a variable holds the keys: only the operator can change that.
    """
    settings = get_settings()
    if settings.master_key is not None:
        raise MasterKeyError(
            f"{_IN_VARIABLE}put a new entry, id:base64 of 32 random bytes, first, keep the old one behind it, restart "
            "every part, then run `sluice keys reencrypt`."
        )
    file = KeyFile(key_file(settings.home))
    keys = file.read()
    key_id, key = new_key(keys)
    file.write({key_id: key, **keys})
    return key_id


def usage() -> dict[str, int]:
    """Return for each key of the ring how many envelopes it seals, the key that seals now first."""
    found: Counter[str] = Counter(key_id for _, key_id in artifact_store().sealed_with())
    ring = key_ring()
    with unit_of_work() as session:
        for key_id in ring.ids:
            found[key_id] += sum(column.count(session, key_id) for column in registry.SEALED)
    return {key_id: found.get(key_id, 0) for key_id in (*ring.ids, *sorted(found.keys() - set(ring.ids)))}


def reencrypt(say: Callable[[str, int], None] = lambda _place, _count: None) -> Report:
    """Seal everything anew that is not sealed with the present key, a batch a transaction; ``say`` hears of each batch.

    Then the audit trail's checkpoints go on under the key that is derived from it, signed by the former one too.
    Safe beside a running system and beside itself; an interrupted pass goes on where it ended. What does not open is
    named in the report and left as it is.
    """
    report, ring = Report(), key_ring()
    for column in registry.SEALED:
        after, total = None, 0
        while True:
            with unit_of_work() as session:
                batch = column.reseal_batch(session, ring, after, BATCH)
            total += batch.done
            report.damaged.extend(batch.damaged)
            say(column.name, total)
            after = batch.last
            if after is None:
                break
        report.resealed[column.name] = total
    report.resealed["artifacts"] = 0
    store, current = artifact_store(), ring.ids[0]
    for key, key_id in store.sealed_with():
        if key_id == current:
            continue
        try:
            store.reseal(key)
            report.resealed["artifacts"] += 1
        except AppError as error:
            report.damaged.append(f"artifact {key}: {error.detail}")
        if report.resealed["artifacts"] % BATCH == 0:
            say("artifacts", report.resealed["artifacts"])
    audit.sign_under_present_key()
    return report


def remove(key_id: str) -> None:
    """Take a key that seals nothing any more out of the key file.

    Raises ``KeyInUse`` for the present key and while anything is sealed with this one, ``MasterKeyError`` for a key
    that is not there. Writers wait while it looks, so that none slips in between looking and removing.
    """
    settings, ring = get_settings(), key_ring()
    if key_id not in ring.ids:
        raise MasterKeyError(f"There is no key {key_id!r} in the ring; it has {', '.join(ring.ids)}.")
    if key_id == ring.ids[0]:
        raise KeyInUse(f"{key_id} is the key that seals now. Add another first: `sluice keys add`.")
    # Nothing but a checkpoint under the present key vouches for what the key to be removed has signed.
    audit.sign_under_present_key()
    with unit_of_work() as session:
        tables = sorted({column.model.__tablename__ for column in registry.SEALED})
        session.execute(text("SET LOCAL lock_timeout = '30s'"))
        session.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE MODE"))
        needed = {column.name: column.count(session, key_id) for column in registry.SEALED}
        needed["artifacts"] = sum(1 for _, found in artifact_store().sealed_with() if found == key_id)
        if left := {name: count for name, count in needed.items() if count}:
            places = ", ".join(f"{count} in {name}" for name, count in left.items())
            raise KeyInUse(f"{key_id} still seals {places}. Run `sluice keys reencrypt`, then remove it.")
        if settings.master_key is not None:
            raise MasterKeyError(f"{_IN_VARIABLE}nothing needs {key_id} any more; take it out and restart every part.")
        file = KeyFile(key_file(settings.home))
        file.write({known: key for known, key in file.read().items() if known != key_id})
