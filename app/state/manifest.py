"""A manifest: which pieces a stored state is made of, in order, part by part. Pure.

Layout: for each part its name's length (1 byte), its name, the number of pieces (4 bytes), the piece ids (16 bytes
each).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.core.errors import IntegrityError

ID_BYTES = 16
Part = Literal["content", "resources", "outputs"]


@dataclass(frozen=True)
class Manifest:
    """Piece ids by part."""

    parts: dict[str, tuple[bytes, ...]]

    def ids(self, part: Part) -> tuple[bytes, ...]:
        """Return the pieces of a part, in order; none for a part that was not stored."""
        return self.parts.get(part, ())

    def every_id(self) -> set[bytes]:
        """Return every piece that the stored state needs."""
        return {piece for ids in self.parts.values() for piece in ids}

    def encode(self) -> bytes:
        """Return the manifest as bytes."""
        return b"".join(
            bytes([len(name)]) + name.encode() + struct.pack(">I", len(ids)) + b"".join(ids)
            for name, ids in self.parts.items()
        )


def decode(data: bytes) -> Manifest:
    """Return the manifest in ``data``. Raises ``IntegrityError`` when it is cut short."""
    parts: dict[str, tuple[bytes, ...]] = {}
    at = 0
    try:
        while at < len(data):
            name = data[at + 1 : at + 1 + data[at]].decode()
            at += 1 + data[at]
            (count,) = struct.unpack_from(">I", data, at)
            at += 4
            if at + count * ID_BYTES > len(data):
                raise IntegrityError("A stored state's list of pieces is cut short: it was altered in the store.")
            parts[name] = tuple(data[at + i * ID_BYTES : at + (i + 1) * ID_BYTES] for i in range(count))
            at += count * ID_BYTES
    except (struct.error, UnicodeDecodeError):
        raise IntegrityError("A stored state's list of pieces is damaged: it was altered in the store.") from None
    return Manifest(parts)


def bases(new: Sequence[bytes], old: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return for pieces of ``new`` that ``old`` lacks the piece that they most likely replace.

    Between two pieces that both have, the first new one replaces the first old one, and so on.
    """
    place = {piece: index for index, piece in enumerate(old)}
    kept = set(new)
    found: dict[bytes, bytes] = {}
    following = 0
    for piece in new:
        if piece in place:
            following = place[piece] + 1
        elif following < len(old) and old[following] not in kept:
            found[piece] = old[following]
            following += 1
    return found
