"""Reads JSON that hostile code may have written, within what a supervisor can hold."""

import json
from typing import Any

MOST_PARTS = 16_000_000
"""Values, roughly: a state of 10,000 resources has about one million. Each takes some 70 bytes once it is read."""


def load(content: bytes) -> Any:
    """Return what a JSON text says. Raises ``ValueError`` when it is none, nests too deep, or has too many parts."""
    parts = content.count(b",") + content.count(b"[") + content.count(b"{")
    if parts > MOST_PARTS:
        raise ValueError(f"has about {parts} parts; at most {MOST_PARTS} are read")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nests too deep") from error
