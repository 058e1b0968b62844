"""Counting queries, so that a page's cost can be held to what it shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

_NOT_QUERIES = ("SAVEPOINT", "RELEASE", "ROLLBACK")


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that any engine of this process executes inside the block."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(_NOT_QUERIES):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
