import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.texts import neutral, neutral_value


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, äöü, 日本語, 👩‍🚀", "plain text, äöü, 日本語, 👩‍🚀"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;your title\x07after", "after"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;ZXZpbA==\x07clip", "clip"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("\x1b[2J\x1b[H\x1b(Bclear", "clear"),
        ("\x9b31mone character", "one character"),
        ("50%\r100%\r", "50%\n100%"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("a\x00b\x08c\x7fd", "a␀b␈c␡d"),
        ("\u202egnp.exe", "<U+202E>gnp.exe"),
        ("a\u2066b\u2069\u200f\u2028", "a<U+2066>b<U+2069><U+200F><U+2028>"),
        ("half \ud83d", "half \ufffd"),
        ("tab\tand\nend", "tab\tand\nend"),
        ("alone \x1b", "alone ␛"),
    ],
)
def test_neutral_shows_what_would_steer(raw: str, shown: str) -> None:
    assert neutral(raw) == shown


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]0;m\r\n\x07\\\x9b\u202e"))))
def test_neutral_leaves_nothing_that_steers_and_twice_is_once(text: str) -> None:
    shown = neutral(text)
    assert not any((ord(letter) < 32 and letter not in "\t\n") or 0x7F <= ord(letter) < 0xA0 for letter in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\u200e\u200f")
    shown.encode()
    assert neutral(shown) == shown


def test_neutral_value_reaches_every_string() -> None:
    assert neutral_value({"\x1b[1mkey": ["a\x00", {"b": "\u202e"}], "n": 3, "none": None}) == {
        "key": ["a␀", {"b": "<U+202E>"}],
        "n": 3,
        "none": None,
    }


@pytest.mark.parametrize("row", ["\r", "\x1b", "\x1b[", "\x1b[0", "\x1b]", "\x1b ", "\x9b0", "\x00"])
def test_neutral_takes_no_square_of_a_long_row(row: str) -> None:
    began = time.process_time()
    neutral(row * 200_000 + "x")
    assert time.process_time() - began < 5
