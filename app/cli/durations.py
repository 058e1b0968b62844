"""Durations as people write them: `30m`, `8h`, `2d`, `8w`."""

import re

from app.client.errors import LocalProblem

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


def seconds_of(text: str, option: str) -> int:
    """Return how many seconds a duration has. Raises ``LocalProblem`` for what is none, naming the ``option``."""
    found = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", text.strip())
    if found is None:
        raise LocalProblem(f"{option}: {text!r} is not a duration. Write it as 30m, 12h, 90d or 8w.", "usage")
    return int(found[1]) * _SECONDS[found[2]]


def seconds_or_none(text: str, option: str) -> int | None:
    """Return the seconds of a duration or of a plain number of seconds; None for `0` (for ever).

    Raises ``LocalProblem`` as ``seconds_of`` does.
    """
    return (int(text) or None) if re.fullmatch(r"\d{1,9}", text.strip()) else seconds_of(text, option)


def spelled(seconds: int) -> str:
    """Return a number of seconds as a duration, in the largest unit that holds it exactly."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"
