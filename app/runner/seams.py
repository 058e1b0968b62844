"""Values that a program breaks over several lines are masked before these lines leave.

Each line is masked by itself first. Here the lines of a batch are looked at as one text, in which a value may be broken
by line ends anywhere, as in base64 that is wrapped. What went out last is remembered, so that the rest of a value that
begins in one batch is masked in the next.
"""

import re
from collections.abc import Sequence

from app.runner.masking import MASK, Masker
from app.runner.port import ProgressRecord

_LEAST = 8
"""A shorter value is not looked for over line ends: its pieces would be found by chance."""
_LEAST_PIECE = 4
_BREAK = r"(?:\\r)?(?:\\n)?\s{0,8}"


class Seams:
    """Masks over the ends of lines. One a run; without values it costs nothing."""

    def __init__(self, masker: Masker) -> None:
        self._forms = [form for form in masker.forms if len(form) >= _LEAST and "\n" not in form]
        alternatives = [_BREAK.join(re.escape(letter) for letter in form) for form in self._forms]
        self._pattern = re.compile("|".join(alternatives)) if alternatives else None
        self._longest = max((len(form) for form in self._forms), default=0)
        self._carried: dict[str, str] = {}

    def may_go_on(self, record: ProgressRecord) -> bool:
        """Whether a line ends with what may be the beginning of a value."""
        if self._pattern is None or record.kind != "line":
            return False
        tail = record.text[-self._longest :]
        return any(self._begins(form, tail) for form in self._forms)

    @staticmethod
    def _begins(form: str, tail: str) -> bool:
        start = form[:_LEAST_PIECE]
        at = tail.find(start)
        while at >= 0:
            if form.startswith(tail[at:]):
                return True
            at = tail.find(start, at + 1)
        return False

    def masked(self, records: Sequence[ProgressRecord]) -> list[ProgressRecord]:
        """Return the records with what is broken over their ends masked; they must be in order, and be sent."""
        found = list(records)
        if self._pattern is None:
            return found
        for stream in ("stdout", "stderr"):
            places = [place for place, record in enumerate(found) if record.kind == "line" and record.stream == stream]
            if places:
                self._mask_lines(found, places, stream)
        return found

    def _mask_lines(self, records: list[ProgressRecord], places: list[int], stream: str) -> None:
        assert self._pattern is not None
        carried = self._carried.get(stream, "")
        lines = [carried, *(records[place].text for place in places)]
        joined = "\n".join(lines)
        spans = [match.span() for match in self._pattern.finditer(joined)]
        if spans:
            begin = len(lines[0]) + 1
            for place, line in zip(places, lines[1:], strict=True):
                text = _cut(line, [(start - begin, end - begin) for start, end in spans])
                if text != line:
                    records[place] = records[place].model_copy(update={"text": text})
                begin += len(line) + 1
        self._carried[stream] = "" if spans and spans[-1][1] == len(joined) else joined[-2 * self._longest :]


def _cut(line: str, spans: list[tuple[int, int]]) -> str:
    """Return a line with each part of it that lies in a span masked."""
    parts, at = [], 0
    for start, end in spans:
        if end <= 0 or start >= len(line) or end <= at:
            continue
        parts += [line[at : max(start, at)], MASK]
        at = min(end, len(line))
    return "".join([*parts, line[at:]])
