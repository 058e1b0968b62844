"""Values that a program breaks over several lines are masked before these lines leave.

Each line is masked by itself first. Here the lines of a batch are looked at as one text, those of each provisioner as
one of their own, in which a value may be broken by line ends anywhere, as in base64 that is wrapped. What went out last
is remembered, so that the rest of a value that begins in one batch is masked in the next.
"""

from collections.abc import Sequence

from app.core import gaps
from app.core.masking import MASK, Masker
from app.runner.port import ProgressRecord

_LEAST_PIECE = 4


class Seams:
    """Masks over the ends of lines. One a run; without values it costs nothing, and what it looks for is made late."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._carried: dict[str, str] = {}
        self._before: dict[str, str] = {}

    @property
    def _forms(self) -> tuple[str, ...]:
        return self._masker.broken_forms

    @property
    def _longest(self) -> int:
        return len(self._forms[0])

    def may_go_on(self, record: ProgressRecord) -> bool:
        """Whether a line ends with what may be the beginning of a value."""
        if _stream_of(record) is None or not self._forms:
            return False
        tail = gaps.dense(_said(record)[-2 * self._longest :])[-self._longest :]
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
        """Return the records with what is broken over their ends masked.

        They must be in order, and be sent: else call ``take_back`` before they are masked again.
        """
        self._before = dict(self._carried)
        found = list(records)
        if not self._forms:
            return found
        streams: dict[str, list[int]] = {}
        for place, record in enumerate(found):
            if (stream := _stream_of(record)) is not None:
                streams.setdefault(stream, []).append(place)
        for stream, places in streams.items():
            self._carried[stream] = self._mask_lines(found, places, self._carried.get(stream, ""))
        return found

    def take_back(self) -> None:
        """Note that what was masked last was not sent, so that it follows what was sent before it."""
        self._carried = dict(self._before)

    def _mask_lines(self, records: list[ProgressRecord], places: list[int], carried: str) -> str:
        """Mask the lines at these places, which follow ``carried``; return what the next ones follow."""
        lines = [carried, *(_said(records[place]) for place in places)]
        joined = "\n".join(lines)
        spans = gaps.spans(joined, self._forms)
        if spans:
            begin = len(lines[0]) + 1
            for place, line in zip(places, lines[1:], strict=True):
                text = gaps.cut(line, [(start - begin, end - begin) for start, end in spans], MASK)
                if text != line:
                    records[place] = _saying(records[place], text)
                begin += len(line) + 1
        return "" if spans and spans[-1][1] == len(joined) else joined[-2 * self._longest :]


def _stream_of(record: ProgressRecord) -> str | None:
    """Return what a record is a line of: an output of the engine, or what it tells of a resource's program."""
    if record.kind == "line":
        return record.stream if record.stream != "system" else None
    is_told = record.data.get("type") == "provision_progress" and isinstance(record.data.get("output"), str)
    return f"program of {record.data.get('address')}" if is_told else None


def _said(record: ProgressRecord) -> str:
    return record.text if record.kind == "line" else str(record.data["output"])


def _saying(record: ProgressRecord, text: str) -> ProgressRecord:
    """Return a record with another line in it."""
    if record.kind == "line":
        return record.model_copy(update={"text": text})
    before = str(record.data["output"])
    told = record.text.removesuffix(before) + text if record.text.endswith(before) else text
    return record.model_copy(update={"text": told, "data": {**record.data, "output": text}})
