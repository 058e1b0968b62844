"""Splits a byte stream into lines of bounded length."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

LINE_BYTES = 1024 * 1024
"""A longer line comes in pieces."""


@dataclass(frozen=True)
class Line:
    """One line of output, without its end. ``is_partial``: too long, and the next line of the stream continues it."""

    stream: Literal["stdout", "stderr"]
    text: str
    is_partial: bool = False


class LineSplitter:
    """Gathers chunks and hands on whole lines; a line over ``limit_bytes`` comes in pieces, none is dropped."""

    def __init__(self, stream: Literal["stdout", "stderr"], limit_bytes: int, sink: Callable[[Line], None]) -> None:
        self._stream: Literal["stdout", "stderr"] = stream
        self._limit = limit_bytes
        self._sink = sink
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        *whole, tail = chunk.split(b"\n")
        for part in whole:
            self._rest += part
            self._emit()
            self._hand_on(bytes(self._rest).removesuffix(b"\r"), is_partial=False)
            self._rest.clear()
        self._rest += tail
        self._emit()

    def flush(self) -> None:
        """Hand on what is left when the stream has ended without a line end."""
        if self._rest:
            self._hand_on(bytes(self._rest), is_partial=False)
            self._rest.clear()

    def _emit(self) -> None:
        while len(self._rest) > self._limit:
            piece = bytes(self._rest[: self._limit])
            # Cut between characters: a continuation byte (10xxxxxx) belongs to what comes before it.
            cut = len(piece)
            while cut > len(piece) - 4 and self._rest[cut] & 0xC0 == 0x80:
                cut -= 1
            self._hand_on(piece[:cut], is_partial=True)
            del self._rest[:cut]

    def _hand_on(self, content: bytes, *, is_partial: bool) -> None:
        self._sink(Line(self._stream, content.decode("utf-8", "replace"), is_partial))


def last_lines(text: str, most: int) -> str:
    """Return the end of a text, at most ``most`` characters, from where a line begins.

    Who masks it looks for whole values, and a cut would leave the rest of one. Of a line that is longer words are left
    out, and a word that is longer is left out whole.
    """
    if len(text) <= most:
        return text
    end = text[-most - 1 :]
    for begin in ("\n", " "):
        if (found := end.find(begin)) >= 0 and end[found:].strip():
            return end[found + 1 :]
    return ""
