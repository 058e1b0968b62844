"""How the command line writes: one JSON document, or text for people, plain where nobody watches."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.core.texts import neutral

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WIDE = 2000
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"

STATUS_STYLES = {
    "queued": "cyan",
    "running": "cyan",
    "awaiting_approval": "yellow",
    "approved": "cyan",
    "policy_blocked": "red",
    "planned": "green",
    "no_changes": "green",
    "applied": "green",
    "superseded": "dim",
    "discarded": "dim",
    "cancelled": "dim",
    "errored": "red",
}


def print_json(document: Any) -> None:
    """Write the one document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2 if sys.stdout.isatty() else None) + "\n")
    sys.stdout.flush()


def clean(text: str) -> str:
    """Return text without terminal control: what an engine or a person wrote must not move the cursor.

    What turns the direction of text, or is not seen at all, is shown by its number.
    """
    return neutral(_CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def console(*, stderr: bool = False) -> "Console":
    """Return a console for standard output or error. Colours only on a terminal, and never with NO_COLOR."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, highlight=False, emoji=False, markup=False, width=width, soft_wrap=True)


def say(text: str) -> None:
    """Write a line for the person who watches, to standard error."""
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Write rows as a table, or the sentence ``empty`` where there are none."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"ID", "Run", "Status"})
    count = 0
    for row in rows:
        table.add_row(*(cell(value) for value in row))
        count += 1
    if count == 0:
        say(empty)
    else:
        _print_grid(table)


def cell(value: Any) -> "Text":
    """Return a value as a table's cell."""
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if value is None:
        return Text(DASH)
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(", ".join(clean(str(item)) for item in value) or DASH)
    return Text(clean(str(value)))


def styled(text: str, style: str) -> "Text":
    """Return text in a style."""
    from rich.text import Text

    return Text(clean(text), style=style)


def status_text(status: str) -> "Text":
    """Return a run's status in its colour."""
    return styled(status.replace("_", " "), STATUS_STYLES.get(status, ""))


def print_fields(fields: Sequence[tuple[str, Any]]) -> None:
    """Write names and values below each other."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, cell(value))
    _print_grid(table)


def _print_grid(table: "Table") -> None:
    """Write a table; where nobody watches, without the spaces that fill its last column."""
    out = console()
    if out.is_terminal:
        out.print(table, soft_wrap=False)
        return
    with out.capture() as captured:
        out.print(table, soft_wrap=False)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def moment(text: str | None) -> str:
    """Return an ISO time as local time to the second, or a dash."""
    if not text:
        return DASH
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
