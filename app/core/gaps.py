"""Finds values that a text breaks over several lines, wherever they are broken, as in base64 that is wrapped. Pure."""

import re
from collections.abc import Iterable, Sequence

_LEAST = 8
"""A shorter value is not looked for over line ends: its pieces would be found by chance."""
_GAPS = re.compile(r"(?:\s|\\[rn])+")
"""What may stand between two characters of a value: line ends and indents, also as a JSON string spells them."""
_LINE_ENDS = ("\n", r"\n", r"\r")

Span = tuple[int, int]


def has_lines(text: str) -> bool:
    """Return whether a text has several lines, also as a JSON string spells their ends."""
    return any(end in text for end in _LINE_ENDS)


def dense(text: str) -> str:
    """Return a text without its gaps."""
    return _GAPS.sub("", text)


def dense_forms(forms: Iterable[str]) -> tuple[str, ...]:
    """Return what to look for of these spellings in a text without gaps, the longest first."""
    found = {dense(form) for form in forms if "\n" not in form}
    return tuple(sorted((form for form in found if len(form) >= _LEAST), key=len, reverse=True))


def spans(text: str, forms: Sequence[str]) -> list[Span]:
    """Return where ``forms`` are in a text, whatever gaps they have there, in order; they may overlap."""
    joined = dense(text)
    hits = [
        (found.start(), found.start() + len(form))
        for form in forms
        if form in joined
        for found in re.finditer(re.escape(form), joined)
    ]
    if not hits:
        return []
    places: list[int] = []
    end = 0
    for gap in _GAPS.finditer(text):
        places.extend(range(end, gap.start()))
        end = gap.end()
    places.extend(range(end, len(text)))
    return sorted((places[first], places[after - 1] + 1) for first, after in hits)


def cut(text: str, found: Iterable[Span], mask: str) -> str:
    """Return a text with ``mask`` for each part of it that lies in one of these spans, which are in order."""
    parts: list[str] = []
    at = 0
    for start, end in found:
        if end <= 0 or start >= len(text) or end <= at:
            continue
        if not parts or start > at:
            parts += [text[at : max(start, at)], mask]
        at = min(end, len(text))
    return "".join([*parts, text[at:]])
