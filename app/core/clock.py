"""The one source of time, so that tests can set it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_source: Callable[[], datetime] | None = None


def now() -> datetime:
    """Return the present moment, timezone-aware, in UTC."""
    return _source() if _source is not None else datetime.now(UTC)


@contextmanager
def using(source: Callable[[], datetime]) -> Iterator[None]:
    """Take the time from ``source`` inside the block (a test's frozen or stepped clock)."""
    global _source
    previous, _source = _source, source
    try:
        yield
    finally:
        _source = previous
