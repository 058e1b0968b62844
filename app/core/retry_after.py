"""How long whoever answered asks to be left alone, as ``Retry-After`` says it (RFC 9110, 10.2.3)."""

import re
from collections.abc import Mapping

LONGEST_SECONDS = 24 * 3600.0
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MOST_CHARACTERS = 16


def retry_after(
    headers: Mapping[str, str], *, longest: float = LONGEST_SECONDS, names: tuple[str, ...] = ("retry-after",)
) -> float | None:
    """Return the seconds that an answer's headers ask to wait, at most ``longest``; None when they ask for nothing.

    ``names`` are tried in order. The date that ``Retry-After`` may hold instead is passed over, since it says how long
    to wait by two clocks. ``headers`` are asked for names in small letters.
    """
    for name in names:
        text = headers.get(name, "").strip()
        if _SECONDS.fullmatch(text):
            # Whoever answers chooses the length of the number.
            return min(float(text), longest) if len(text) <= _MOST_CHARACTERS else longest
    return None
