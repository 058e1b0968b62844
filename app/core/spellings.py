"""How encoders may write a value: patterns in which each character stands for itself or for an escape of it.

Encoders differ in which characters they escape, hardly in how: RFC 8259 (JSON; Go's encoder escapes <, > and & too,
others the slash or all that is not ASCII), RFC 3986 (percent), HTML's character references. So each character has
alternatives of its own instead of each encoder a spelling. How an alternative begins tells it from the others, so that
no text makes a pattern slow. HCL doubles the first character of `${` and `%{`, as in the address of an instance.
"""

import json
import re
from collections.abc import Callable
from functools import partial

from app.core.texts import neutral

_DEPTHS = (1, 2, 3)
"""A document in JSON, one that is a string of another, and one more: an output of an output."""
_ENTITIES = {
    "&": "amp|#38|#x26",
    "<": "lt|#60|#x3c",
    ">": "gt|#62|#x3e",
    '"': "quot|#34|#x22",
    "'": "apos|#0?39|#x27",
}
_TEMPLATES = ("${", "%{")
"""What opens a template in a string of HCL, unless its first character is written twice."""
_LONGEST_SIMPLE = len("61:")
_LONGEST_OTHER = len(r"\\\\ud83d\\\\ude00")


def spelling_patterns(value: str) -> set[str]:
    """Return patterns (of ``re``) of a value in hexadecimal, JSON, JSON within JSON, percent-encoding and HTML."""
    each: list[Callable[[str], str]] = [partial(_in_json, depth=depth) for depth in _DEPTHS]
    each += [_in_url, _in_html]
    return {_in_hex(value.encode())} | {_spelled(value, one) for one in each}


def longest_spelling(value: str) -> int:
    """Return how many characters a text that matches a pattern of the value has at the most."""
    doubled = sum(map(value.count, _TEMPLATES))
    return _LONGEST_OTHER * doubled + sum(_LONGEST_SIMPLE if _is_simple(letter) else _LONGEST_OTHER for letter in value)


def _spelled(value: str, one: Callable[[str], str]) -> str:
    """Return the pattern of a value, each character of which has that of ``one``; HCL may have doubled some of them."""
    each = []
    for letter, following in zip(value, [*value[1:], ""], strict=True):
        pattern = one(letter)
        # What follows is no part of what is doubled, so a row of them is read in one way alone.
        each.append(f"{pattern}{pattern}?" if letter + following in _TEMPLATES else pattern)
    return "".join(each)


def _is_simple(letter: str) -> bool:
    """Whether no encoder but hexadecimal has another way to write the character."""
    return letter.isascii() and letter.isalnum()


def _in_hex(value: bytes) -> str:
    """Return a pattern of bytes in hexadecimal, upper or lower case, apart or not."""
    return r"[ :\-]?".join(_in_either_case(f"{byte:02x}") for byte in value)


def _in_either_case(digits: str) -> str:
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in digits)


def _in_json(letter: str, *, depth: int) -> str:
    """Return a pattern of a character in a JSON string that is in JSON again, ``depth`` times in all."""
    if _is_simple(letter):
        return letter
    if letter == "\\":
        return rf"\\{{{2**depth}}}"
    if letter == '"':
        return rf'\\{{{2**depth - 1}}}"'
    units = letter.encode("utf-16-be").hex()
    # Whichever of the documents escaped it first decides how many backslashes there are.
    mark = rf"\\{{1,{2 ** (depth - 1)}}}"
    ways = ["".join(f"{mark}u{_in_either_case(units[at : at + 4])}" for at in range(0, len(units), 4))]
    written = json.dumps(letter, ensure_ascii=False)[1:-1]
    if len(written) == 2:
        ways.append(mark + written[1])
    elif letter == "/":
        ways += [f"{mark}/", "/"]
    elif len(written) == 1:
        ways += _plain(letter)
    return f"(?:{'|'.join(ways)})"


def _in_url(letter: str) -> str:
    if _is_simple(letter):
        return letter
    ways = ["".join(f"%{_in_either_case(f'{byte:02x}')}" for byte in letter.encode())]
    if letter == " ":
        ways.append(r"\+")
    ways += _plain(letter)
    return f"(?:{'|'.join(ways)})"


def _in_html(letter: str) -> str:
    if _is_simple(letter):
        return letter
    ways = _plain(letter)
    if letter in _ENTITIES:
        ways.append(f"&(?i:{_ENTITIES[letter]});")
    return f"(?:{'|'.join(ways)})"


def _plain(letter: str) -> list[str]:
    """Return patterns of the character itself, and of what is shown in its place."""
    return [re.escape(shown) for shown in dict.fromkeys((letter, neutral(letter))) if shown]
