"""One side of a change in a plan document, beside which stand structures of marks: what is sensitive, what is unknown.

https://opentofu.org/docs/internals/json-format/#change-representation.
"""

from typing import Any


def part(side: Any, key: Any) -> Any:
    """Return a part of a value or of a structure of marks; a mark on the whole holds for every part of it."""
    if isinstance(side, dict):
        return side.get(key)
    if isinstance(side, list) and isinstance(key, int):
        return side[key] if key < len(side) else None
    return True if side is True else None
