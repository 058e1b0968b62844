"""Reads JSON that hostile code may have written, within what a supervisor can hold."""

from typing import Any

from pydantic_core import from_json

MOST_PARTS = 16_000_000
"""Values, roughly: a state of 10,000 resources has about one million. Each takes some 70 bytes once it is read."""


class TooMuch(ValueError):
    """It may be whole JSON, and is more than is read: by its parts, its depth, or the digits of a number."""


def load(content: bytes) -> Any:
    """Return what a JSON text says. Raises ``ValueError`` when it is none, ``TooMuch`` when it may be one.

    What nests deeper than 200 levels is refused here, where it comes in: whatever is made of it must be written again,
    and writers give up at 255.
    """
    parts = content.count(b",") + content.count(b"[") + content.count(b"{")
    if parts > MOST_PARTS:
        raise TooMuch(f"has about {parts} parts; at most {MOST_PARTS} are read")
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise TooMuch("nests too deep: at most 200 levels are read") from error
        if "out of range" in str(error):
            raise TooMuch("has a number of too many digits: at most 4300 are read") from error
        raise
