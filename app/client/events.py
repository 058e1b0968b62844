"""Reads a run's records from server-sent events. No I/O: bytes in, pages out.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import codecs
from collections.abc import Iterator

from app.client.lines import LineReader
from app.client.models import ProgressPage

HEARTBEAT_SECONDS = 2
"""Asked of the server, so that a watcher is heard of as often."""
SILENCE_SECONDS = 6.0
"""The server says something at once, and every heartbeat: a proxy that hands nothing on for so long keeps it back."""


class EventsLost(Exception):
    """The events could not be had, or broke off."""


class EventReader:
    """Puts the lines of one answer together to pages. A comment gives a page without records: time has passed."""

    def __init__(self, cursor: int) -> None:
        self._cursor = cursor
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._lines = LineReader()
        self._event = ""
        self._data: list[str] = []

    def read(self, chunk: bytes) -> Iterator[ProgressPage]:
        """Yield what these bytes complete. Raises ``EventsLost`` when the server ends the watching."""
        for line in self._lines.read(self._decoder.decode(chunk)):
            yield from self._line(line.removesuffix("\r"))

    def _line(self, line: str) -> Iterator[ProgressPage]:
        if line.startswith(":"):
            yield ProgressPage(next=self._cursor)
            return
        if line:
            name, _, value = line.partition(":")
            if name == "event":
                self._event = value.removeprefix(" ")
            elif name == "data":
                self._data.append(value.removeprefix(" "))
            return
        event, data = self._event, "\n".join(self._data)
        self._event, self._data = "", []
        if event == "denied":
            raise EventsLost
        if event != "records":
            return
        try:
            page = ProgressPage.model_validate_json(data).since(self._cursor)
        except ValueError as error:
            raise EventsLost from error
        self._cursor = page.next
        yield page
