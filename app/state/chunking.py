"""Cuts a state into pieces at places that its content decides, so that a small change touches few pieces. Pure.

A cut falls after a line where a checksum of the text just before says so, once the piece is long enough; a change
moves no cut but those beside it. The text is longer than a line, since most lines of a state come again and again, and
cuts after such a line would not find back into step. Engines write states with line breaks; what has few (compact
JSON) is cut after closing braces instead.
"""

import re
import zlib

LEAST_BYTES = 16 * 1024
MOST_BYTES = 256 * 1024
_WINDOW_BYTES = 1024

_LINES = re.compile(rb"[^\n]*\n|[^\n]+\Z")
_OBJECTS = re.compile(rb"[^}]*\}|[^}]+\Z")
_MOST_BYTES_PER_LINE = 2048
_PART_MASK = 0x7
_WINDOW_MASK = {_LINES: 0x7F, _OBJECTS: 0xF}
"""One line in 1,024, or one object in 128, may end a piece: some 40 KB after the least size. The checksum of the line
alone is asked first, because it is cheap."""


def pieces(data: bytes) -> list[bytes]:
    """Return ``data`` as pieces, whose concatenation it is. None for no data."""
    pattern = _LINES if data.count(b"\n") * _MOST_BYTES_PER_LINE >= len(data) else _OBJECTS
    window_mask, view = _WINDOW_MASK[pattern], memoryview(data)
    found: list[bytes] = []
    start = 0
    for match in pattern.finditer(data):
        end = match.end()
        length = end - start
        if length < LEAST_BYTES:
            continue
        if length > MOST_BYTES or (
            zlib.crc32(match.group()) & _PART_MASK == 0
            and zlib.crc32(view[max(0, end - _WINDOW_BYTES) : end]) & window_mask == 0
        ):
            found.extend(_bounded(data[start:end]))
            start = end
    found.extend(_bounded(data[start:]))
    return found


def _bounded(piece: bytes) -> list[bytes]:
    """Cut a piece with one very long line at fixed lengths: nothing may be too big to hold at once."""
    return [piece[at : at + MOST_BYTES] for at in range(0, len(piece), MOST_BYTES)]
