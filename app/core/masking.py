"""Masks the values of sensitive variables wherever they appear, also encoded (JSON, base64, hex, URL) or split.

It is a net, not a proof: a program may encode a value in ways that nobody thought of.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import quote, quote_plus

from app.core import gaps
from app.core.spellings import longest_spelling, spelling_patterns
from app.core.texts import neutral, neutral_value, strings_in

MASK = "***"
# A shorter value is masked only where it stands alone: otherwise a one-letter secret would blank every line and so
# tell which letter it is.
_ANYWHERE_LENGTH = 3
LEAST_LENGTH = 4
"""A shorter value is not looked for encoded, nor without patterns: it would be found everywhere by chance."""
_BASE64_CORE_LENGTH = 6
# A terminal sequence whose end is in the next piece, and what may be half of a line end.
_UNFINISHED = re.compile(r"(?:(?:\x1b[\[\]PX^_(]?|\x9b)[^\x1b\x07a-zA-Z\n]{0,80}|(?<!\r)\r+)\Z")
# Of an expression: a shorter number would be found everywhere by chance.
_NUMBERS = re.compile(r"(?<![\w.])-?\d[\d.]{5,}(?!\w)")
_QUOTE = re.compile(r'\\.|"', re.DOTALL)


class Masker:
    """Replaces sensitive values in text. Built once a run; without values it costs nothing."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = tuple(values)

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """Return the spellings of whole encoders that are looked for, the longest first."""
        forms = {form for value in self._values for form in _forms(value)}
        return tuple(sorted(forms | {neutral(form) for form in forms} - {""}, key=len, reverse=True))

    @cached_property
    def longest(self) -> int:
        """Return how long a spelling can be."""
        spelled = (longest_spelling(value) for value in self._values if len(value) >= LEAST_LENGTH)
        return max((*map(len, self.forms), *spelled), default=0)

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Return what finds every value; None without values. Made when the first text comes, not before an engine."""
        patterns = set[str]()
        for value in self._values:
            if len(value) >= LEAST_LENGTH:
                patterns |= spelling_patterns(value)
        for form in self.forms:
            if len(form) >= _ANYWHERE_LENGTH:
                patterns.add(re.escape(form))
            elif form.strip():
                patterns.add(rf"(?<!\w){re.escape(form)}(?!\w)")
        return re.compile(_either(patterns)) if patterns else None

    @cached_property
    def broken_forms(self) -> tuple[str, ...]:
        """Return what is looked for in texts of several lines, which may break a value anywhere."""
        return gaps.dense_forms(self.forms)

    def text(self, text: str) -> str:
        """Return ``text`` with every sensitive value replaced, also where line ends break it."""
        if self.pattern is None:
            return text
        text = self.pattern.sub(MASK, text)
        if not gaps.has_lines(text):
            return text
        return gaps.cut(text, gaps.spans(text, self.broken_forms), MASK)

    def shown(self, text: str) -> str:
        """Return text of an engine as people may see it: control characters neutral, sensitive values replaced.

        In this order, since what a terminal would not show must not hide a value; and before, since a value may hold
        the beginning of what a terminal would not show.
        """
        if text.isprintable():
            return self.text(text)
        return self.text(neutral(self.text(text)))

    def shown_value(self, value: Any) -> Any:
        """Return a JSON value with every string in it as people may see it."""
        return self.value(neutral_value(value))

    def value(self, value: Any) -> Any:
        """Return a JSON value with every string in it masked; also object keys."""
        if self.pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool) and self.text(str(value)) == MASK:
            return MASK
        return value


class StreamMasker:
    """Masks a text that arrives in pieces, so that a value across a seam is found.

    Each piece is held back by the length of the longest value, as far as it might be the start of one.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = ""
        self._unfinished = ""

    def piece(self, text: str, *, is_last: bool) -> str:
        """Return what of the text so far is safe to show; with ``is_last`` all that is left."""
        text = self._unfinished + text
        self._unfinished = ""
        if not is_last and (found := _UNFINISHED.search(text)):
            self._unfinished, text = found[0], text[: found.start()]
        text = neutral(self._held + text)
        keep = max(0, self._masker.longest - 1)
        if is_last or not keep:
            self._held = ""
            return self._masker.text(text)
        # Mask first: a value that ends inside the tail must not be cut in two by holding the tail back.
        cut = max(0, len(text) - keep)
        cut = self._before_any_value(text, cut)
        self._held = text[cut:]
        return self._masker.text(text[:cut])

    def _before_any_value(self, text: str, cut: int) -> int:
        """Return a place at or before ``cut`` that is not inside a value."""
        pattern = self._masker.pattern
        if pattern is not None:
            for found in pattern.finditer(text):
                if found.start() < cut < found.end():
                    return found.start()
        return cut


def _either(patterns: Iterable[str]) -> str:
    """Return a pattern of any of these, the longest first.

    Those that begin with the same character stand together after it: at each place of a text one comparison leaves all
    of them out, which is seven times as fast with the spellings of thirty values.
    """
    groups: dict[str, list[str]] = {}
    for pattern in sorted(patterns, key=len, reverse=True):
        first = pattern[0] if pattern[0].isalnum() and pattern[1:2] not in {"{", "?"} else ""
        groups.setdefault(first, []).append(pattern[len(first) :])
    return "|".join(f"{first}(?:{'|'.join(group)})" for first, group in groups.items())


class Variable(Protocol):
    """A variable of a run, as whoever masks its value sees it."""

    @property
    def value(self) -> str:
        """What it says."""

    @property
    def sensitive(self) -> bool:
        """Whether nobody may see that."""

    @property
    def hcl(self) -> bool:
        """Whether it is an expression."""


def texts_of_sensitive(variables: Iterable[Variable]) -> list[str]:
    """Return the texts to mask for those of these variables that are sensitive."""
    return [text for one in variables if one.sensitive for text in sensitive_texts(one.value, is_hcl=one.hcl)]


def sensitive_texts(value: str, *, is_hcl: bool) -> list[str]:
    """Return the texts to mask for one variable: its value, its lines, the strings and numbers of an expression."""
    texts = [value]
    if "\n" in value:
        texts += [line for line in value.splitlines() if len(line.strip()) >= LEAST_LENGTH]
    if is_hcl:
        texts += _NUMBERS.findall(value)
        for quoted in _quoted(value):
            texts += [quoted, _without_templates(quoted)]
            try:
                texts.append(_without_templates(json.loads(f'"{quoted}"')))
            except ValueError:
                continue
    return texts


def literal_forms(texts: Iterable[str]) -> tuple[str, ...]:
    """Return how texts that are not too short are written by whole encoders, for who looks without patterns.

    JSON, base64 at each alignment, and URLs; the longest first.
    """
    forms = Masker(text for text in texts if len(text) >= LEAST_LENGTH).forms
    return tuple(form for form in forms if len(form) >= LEAST_LENGTH)


def holds(value: Any, forms: Iterable[str]) -> bool:
    """Return whether a JSON value holds one of these in any of its strings, object keys aside."""
    return any(form in text for text in strings_in(value) for form in forms)


def _without_templates(text: str) -> str:
    """Return what a string of HCL says, where it writes `${` and `%{` with their first character twice."""
    return text.replace("$${", "${").replace("%%{", "%{")


def _quoted(expression: str) -> Iterator[str]:
    """Yield what stands between quotes; where strings may be in strings, what stands between any two quotes."""
    quotes = [found.start() for found in _QUOTE.finditer(expression) if found[0] == '"']
    step = 1 if any(nests in expression for nests in ("${", "%{", "<<")) else 2
    for start, end in zip(quotes[::step], quotes[1::step], strict=False):
        if end - start > LEAST_LENGTH:
            yield expression[start + 1 : end]


def _forms(value: str) -> set[str]:
    forms = {value, value.strip()}
    if len(value) >= LEAST_LENGTH:
        in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
        # Go's encoder escapes more than others.
        in_json |= {_as_go_writes(text) for text in in_json}
        # JSON within JSON, as in the value of an output that is itself a document.
        forms |= {*in_json, json.dumps(json.dumps(value)[1:-1])[1:-1]}
        forms |= {quote(value, safe=""), quote_plus(value)}
        # A document in base64, as the keys of service accounts are.
        for plain in {value, *in_json}:
            forms |= _base64_forms(plain.encode())
    forms.discard("")
    return forms


def _as_go_writes(text: str) -> str:
    """Return what is in a JSON string as Go's `encoding/json` writes it, which has HTML in mind."""
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _base64_forms(value: bytes) -> set[str]:
    """Return the value in base64 by itself, and inside a longer text at each of the three alignments."""
    forms = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(value).decode()
        forms |= {whole, whole.rstrip("=")}
        for shift in range(3):
            encoded = encode(b"\0" * shift + value).decode().rstrip("=")
            # The characters that also hold bits of a neighbour differ from text to text.
            start = (shift * 8 + 5) // 6
            end = (shift + len(value)) * 8 // 6
            core = encoded[start:end]
            if len(core) >= _BASE64_CORE_LENGTH:
                forms.add(core)
    return forms
