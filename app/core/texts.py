"""Text from programs that nobody vouches for, made harmless to look at: in a browser, a terminal, or a document."""

import re
from collections.abc import Iterator

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erasing
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: titles, links, the clipboard
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # two characters and more
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI in one character
)
# Looked for from the first of several only: from each of them, a long row would take the square of its length.
_ENDS = re.compile(r"(?<!\r)\r+(?=\n|\Z)")
_OTHERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def neutral(text: str) -> str:
    """Return ``text`` without what would steer whoever shows it.

    Terminal sequences are left out. A carriage return ends a line, since what a progress bar overwrites has been said.
    What remains of control characters is shown: ASCII's as pictures (␀), those that turn the direction of text or are
    not seen at all by their number (<U+202E>), halves of surrogates as U+FFFD. Tabs and line ends stay. Twice is once.
    """
    if text.isprintable():
        return text
    text = _SEQUENCES.sub("", text)
    if "\r" in text:
        text = _ENDS.sub("", text).replace("\r", "\n")
    return _OTHERS.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "␡"
    if 0xD800 <= number <= 0xDFFF:
        return "\ufffd"
    return f"<U+{number:04X}>"


def one_line(text: str) -> str:
    """Return ``text`` on one line, with a space for whatever can't be printed or is space itself."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def neutral_value(value: object) -> object:
    """Return a JSON value with every string in it made neutral; also object keys."""
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, list):
        return [neutral_value(item) for item in value]
    if isinstance(value, dict):
        return {neutral(key): neutral_value(item) for key, item in value.items()}
    return value


def strings_in(value: object) -> Iterator[str]:
    """Yield every string in a JSON value, object keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)
