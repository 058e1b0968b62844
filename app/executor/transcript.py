"""An engine's own words, in a file that outlives whoever reads them.

The engine writes straight into it, so nothing is lost between a pipe and a reader that is killed: what it said that it
began is exactly what it began. The reader follows the file, for which there is no readiness to wait for, by looking
again after a pause that grows while nothing comes.
"""

import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from app.executor.events import ResourceStep, parse
from app.executor.lines import LINE_BYTES

NAME = "apply.jsonl"
_SHORTEST_PAUSE_SECONDS = 0.004
_LONGEST_PAUSE_SECONDS = 0.064


def path_in(root: Path) -> Path:
    """Return where in a run's directory the words of its apply are: beside what its engine sees of it."""
    return root / NAME


class Transcript:
    """A file that a process writes its output to, and that this process follows from where it ended before."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self.writer = os.open(path, flags, 0o600)
        try:
            self.reader = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            os.close(self.writer)
            raise
        os.lseek(self.reader, 0, os.SEEK_END)
        self._pause = _SHORTEST_PAUSE_SECONDS
        self._next = time.monotonic() + self._pause

    def seconds_to_next_look(self) -> float:
        """Return how long to wait before there is a point in looking again."""
        return max(0.0, self._next - time.monotonic())

    def is_due(self) -> bool:
        """Return whether it is time to look again."""
        return time.monotonic() >= self._next

    def looked(self, *, found: bool) -> None:
        """Take down whether the last look found anything: the next pause is the shortest, or twice as long."""
        self._pause = _SHORTEST_PAUSE_SECONDS if found else min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        self._next = time.monotonic() + self._pause

    def unread_bytes(self) -> int:
        """Return how much there is that nobody has read."""
        return max(0, os.fstat(self.reader).st_size - os.lseek(self.reader, 0, os.SEEK_CUR))

    def close(self) -> None:
        """Close both ends; the file stays."""
        os.close(self.writer)
        os.close(self.reader)


def steps(root: Path, *, limit_bytes: int) -> Iterator[tuple[ResourceStep, datetime | None]]:
    """Yield the steps of work that a run's apply told of, in order, each with the engine's own time.

    Nothing when no apply was started. At most ``limit_bytes`` of the file are read; a last line that was cut short
    and a line that is too long for an event are left out. Raises ``OSError``.
    """
    try:
        descriptor = os.open(path_in(root), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "rb") as file:
        left = limit_bytes
        while left > 0 and (line := file.readline(min(left, LINE_BYTES))):
            left -= len(line)
            if b'"hook"' not in line or not line.endswith(b"\n"):
                continue
            text = line.decode(errors="replace").rstrip()
            event = parse(text)
            if isinstance(event, ResourceStep):
                yield event, _time(text)


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(json.loads(text)["@timestamp"])
    except (ValueError, KeyError, TypeError):
        return None
    return at if at.tzinfo is not None else None
