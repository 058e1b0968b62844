"""Identifiers that carry their kind and sort by the time they were made (`run-01k…`)."""

from ulid import ULID


def new_id(kind: str) -> str:
    """Return a fresh identifier: ``kind``, a hyphen and a lower-case ULID.

    ULIDs begin with their millisecond, so ordering by id is ordering by creation, which keyset pages use.
    """
    return f"{kind}-{str(ULID()).lower()}"
