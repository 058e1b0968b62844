import html
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.spellings import longest_spelling, spelling_patterns

_LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs"])
_VALUES = st.text(_LETTERS | st.sampled_from("\\\"'/<>&%$\x7b=+ \n\t\0é😀"), min_size=4, max_size=24)


def _finds(value: str, text: str) -> bool:
    return any(
        (found := re.search(pattern, text)) and len(found[0]) <= longest_spelling(value)
        for pattern in spelling_patterns(value)
    )


@st.composite
def _json_strings(draw: st.DrawFn, value: str) -> str:
    """Draw the inside of a JSON string that spells the value, each character in one of the ways that RFC 8259 has."""
    written = []
    for letter in value:
        units = letter.encode("utf-16-be").hex()
        numbered = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        ways = [json.dumps(letter, ensure_ascii=False)[1:-1]]
        if not (letter.isascii() and letter.isalnum()) and letter not in '"\\':
            ways += [numbered, "\\u" + numbered[2:].upper() if len(numbered) == 6 else numbered]
        if letter == "/":
            ways.append("\\/")
        written.append(draw(st.sampled_from(ways)))
    return "".join(written)


@given(st.data(), _VALUES)
def test_value_in_json_is_found_whichever_characters_are_escaped(data: st.DataObject, value: str) -> None:
    text = data.draw(_json_strings(value))
    assert json.loads(f'"{text}"') == value
    assert _finds(value, text)


@given(st.data(), _VALUES, st.booleans(), st.booleans())
def test_value_in_json_within_json_is_found(data: st.DataObject, value: str, is_ascii: bool, is_deeper: bool) -> None:
    text = json.dumps(data.draw(_json_strings(value)), ensure_ascii=is_ascii)[1:-1]
    if is_deeper:
        text = json.dumps(text, ensure_ascii=not is_ascii)[1:-1]
    assert _finds(value, text)


@given(_VALUES, st.text("/:?#[]@!$&'()*+,;= ", max_size=8), st.booleans())
def test_value_in_a_url_is_found_whatever_is_left_as_it_is(value: str, safe: str, is_lower: bool) -> None:
    text = quote(value, safe=safe)
    if is_lower:
        text = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)
    assert _finds(value, text)


@given(_VALUES, st.booleans())
def test_value_in_html_is_found(value: str, has_quotes: bool) -> None:
    assert _finds(value, html.escape(value, quote=has_quotes))


@given(_VALUES, st.integers(0, 23))
def test_another_value_is_not_found(value: str, place: int) -> None:
    at = place % len(value)
    other = value[:at] + ("x" if value[at] != "x" else "y") + value[at + 1 :]
    for text in (other, json.dumps(other), quote(other, safe=""), html.escape(other), other.encode().hex()):
        assert not _finds(value, text)


@pytest.mark.parametrize(
    "value",
    ["\\" * 400, '\\"' * 200, "%25" * 130, "&amp;" * 80, "/é" * 200, "\\/" * 200, "$" * 400 + "{", "${%{" * 100],
    ids=["backslashes", "quotes", "percents", "references", "slashes", "escaped slashes", "dollars", "templates"],
)
def test_value_that_is_all_escapes_is_found_in_time_that_grows_with_the_text(value: str) -> None:
    # A pattern that tried every way to read a run of escapes would not come to an end here.
    broken = json.dumps(json.dumps(value * 2))[:-9] + "\\" * 20_000
    assert not _finds(value + "end", broken)
    assert _finds(value, json.dumps(value))
