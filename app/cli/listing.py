"""Lists that come page by page, as a table or as one JSON document."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from app.cli.access import connect

if TYPE_CHECKING:
    from app.client.calls import Call
    from app.client.models import Page


def print_listing(
    page_call: Callable[[int, str | None], "Call[Page[Any]]"],
    row_of: Callable[[Any], Sequence[Any]],
    *,
    columns: Sequence[str],
    empty: str,
    limit: int,
    as_json: bool,
) -> None:
    """Print at most ``limit`` items; ``page_call`` makes the call for a page's size and cursor.

    ``row_of`` gives an item's cells, ``empty`` is said when there is none.
    """
    from app.cli.output import print_json, print_table
    from app.client import calls

    size = min(limit, calls.MAX_PAGE)
    with connect() as client:
        found = list(client.items(lambda cursor: page_call(size, cursor), limit=limit))
    if as_json:
        print_json({"items": found})
        return
    print_table(columns, map(row_of, found), empty)
