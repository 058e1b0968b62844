import base64
import html
import itertools
import json
import re
import textwrap
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.masking import MASK, Masker, StreamMasker, sensitive_texts
from app.core.texts import neutral

secrets = st.text(min_size=4, max_size=40).filter(lambda text: len(text.strip()) >= 4 and MASK not in text)
around = st.text(max_size=20)


def holds(text: str, secret: str) -> bool:
    """Whether the secret can still be read. A mask beside it may spell a part of it, so masks are taken out first."""
    return secret in text.replace(MASK, "\0" * 7)


@given(secrets, around, around)
def test_value_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    masked = Masker(sensitive_texts(secret, is_hcl=False)).text(f"{before}{secret}{after}")
    assert not holds(masked, secret)
    assert MASK in masked


@given(secrets, around, st.booleans())
def test_value_is_masked_in_json(secret: str, beside: str, is_ascii: bool) -> None:
    text = json.dumps({"key": beside + secret}, ensure_ascii=is_ascii)
    masked = Masker([secret]).text(text)
    assert not holds(masked, json.dumps(secret, ensure_ascii=is_ascii)[1:-1])


@given(
    st.binary(max_size=7),
    st.text(alphabet=st.characters(codec="ascii"), min_size=8, max_size=40),
    st.binary(max_size=7),
)
def test_value_is_masked_in_base64_at_every_alignment(before: bytes, secret: str, after: bytes) -> None:
    assume(len(secret.strip()) >= 8)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        masked = Masker([secret]).text(encode(before + secret.encode() + after).decode())
        assert MASK in masked


@given(secrets, around, around, st.lists(st.integers(0, 100), max_size=8))
def test_value_is_masked_when_chunks_split_it(secret: str, before: str, after: str, cuts: list[int]) -> None:
    text = f"{before}{secret}{after}"
    stream = StreamMasker(Masker([secret]))
    start, out = 0, ""
    for cut in sorted(cut % (len(text) + 1) for cut in cuts):
        out += stream.piece(text[start:cut], is_last=False)
        start = cut
    out += stream.piece(text[start:], is_last=True)
    assert not holds(out, secret)


@given(st.text(max_size=60), st.lists(st.integers(0, 100), max_size=8))
def test_stream_without_a_value_is_unchanged(text: str, cuts: list[int]) -> None:
    assume("top-secret" not in text)
    stream = StreamMasker(Masker(["top-secret"]))
    start, out = 0, ""
    for cut in sorted(cut % (len(text) + 1) for cut in cuts):
        out += stream.piece(text[start:cut], is_last=False)
        start = cut
    assert out + stream.piece(text[start:], is_last=True) == neutral(text)


def test_several_values_are_masked_and_the_longest_wins() -> None:
    assert Masker(["secret", "secret-longer"]).text("a secret-longer b secret c") == f"a {MASK} b {MASK} c"


def test_short_value_is_masked_only_where_it_stands_alone() -> None:
    assert Masker(["7"]).text("pin=7, 17 of 77, 7") == f"pin={MASK}, 17 of 77, {MASK}"


def test_each_line_of_a_long_value_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n-----END KEY-----\n"
    masker = Masker(sensitive_texts(key, is_hcl=False))
    for line in ("  MIIEpAIBAAKCAQEA", "x -----BEGIN KEY----- y"):
        assert MASK in masker.text(line)


def test_strings_inside_an_expression_are_masked() -> None:
    masker = Masker(sensitive_texts('{ user = "admin-1", password = "p\\"w-9876" }', is_hcl=True))
    assert masker.text('admin-1 p"w-9876') == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ('{ user = "bob", password = "hunter22" }', ["hunter22"]),
        ('["a", "", "b", "hunter22", "c"]', ["hunter22"]),
        ('{ "k" = ["x\\"y", "z"], "password" : "hunter22" }', ['x\\"y', 'x"y', "password", "hunter22"]),
        ('"abc${"in a string"}"', ["in a string"]),
    ],
)
def test_strings_inside_an_expression_are_found_behind_short_ones(expression: str, texts: list[str]) -> None:
    assert set(texts) <= set(sensitive_texts(expression, is_hcl=True))
    if "${" not in expression:
        assert set(sensitive_texts(expression, is_hcl=True)) == {expression, *texts}


def test_json_values_and_keys_are_masked_and_others_kept() -> None:
    masker = Masker(["hunter2", "4711"])
    assert masker.value({"hunter2": ["x hunter2", 4711, 4712, True, None]}) == {
        MASK: [f"x {MASK}", MASK, 4712, True, None]
    }


@pytest.mark.parametrize("values", [[], [""], [" "]])
def test_without_values_nothing_changes(values: list[str]) -> None:
    assert Masker(values).text("a b  c") == "a b  c"


_SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="*"), min_size=6, max_size=40
)


def _escaped(document: str, letters: str) -> str:
    """Return a document in JSON with some letters escaped by their numbers."""
    return document.translate({ord(letter): f"\\u{ord(letter):04x}" for letter in letters})


_ENCODINGS = {
    "plain": lambda value: value,
    "json": json.dumps,
    "json in json": lambda value: json.dumps(json.dumps({"a": value})),
    "json of Go": lambda value: _escaped(json.dumps(value, ensure_ascii=False), "<>&"),
    "json that escapes less": lambda value: _escaped(json.dumps(value, ensure_ascii=False), "<&"),
    "json that escapes more": lambda value: _escaped(json.dumps(value), "<>&'=/"),
    "html": html.escape,
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "hex apart": lambda value: value.encode().hex(":"),
    "url": lambda value: quote(value, safe=""),
    "url of a path": quote,
    "form": quote_plus,
    "url in lower case": lambda value: re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(value, safe="")),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "coloured": lambda value: value[:2] + "\x1b[1m" + value[2:],
    "with what is not seen": lambda value: value[:3] + "\x1b]0;t\x07" + value[3:],
}


@pytest.mark.parametrize("name", _ENCODINGS)
@given(value=_SECRETS, before=st.text("abc 123", max_size=8))
def test_masker_finds_a_value_however_it_is_encoded(name: str, value: str, before: str) -> None:
    # What is hidden in a value that hides something itself has no end that can be known.
    assume(value.isprintable() or name not in {"coloured", "with what is not seen"})
    encoded = _ENCODINGS[name](value)
    shown = Masker([value]).shown(f"{before} {encoded} after")
    assert MASK in shown
    assert value not in shown
    assert neutral(encoded).strip('"\\') not in shown or len(value) < 6


@given(value=_SECRETS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_masker_finds_base64_at_every_alignment(value: str, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(before + value.encode() + after).decode()
        assert MASK in Masker([value]).shown(whole)


@given(
    value=_SECRETS.filter(str.isprintable),
    cuts=st.lists(st.integers(0, 120), max_size=6),
    before=st.text("ab ", max_size=60),
)
def test_stream_masker_finds_a_value_across_pieces(value: str, cuts: list[int], before: str) -> None:
    text = f"{before}{value} after"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    stream = StreamMasker(Masker([value]))
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    shown = "".join(stream.piece(piece, is_last=place == len(pieces) - 1) for place, piece in enumerate(pieces))
    assert shown == Masker([value]).shown(text)


def test_stream_masker_finds_a_value_whose_colour_is_cut_in_two() -> None:
    stream = StreamMasker(Masker(["hunter2-secret"]))
    shown = stream.piece("see hun\x1b[1", is_last=False) + stream.piece(";31mter2-secret\r", is_last=False)
    assert shown + stream.piece("next", is_last=True) == f"see {MASK}\nnext"


def test_stream_masker_shows_nothing_of_a_sequence_in_one_character_that_is_cut_in_two() -> None:
    stream = StreamMasker(Masker(["hunter2-secret"]))
    assert stream.piece("00\x9b", is_last=False) + stream.piece("31mred", is_last=True) == "00red"


@pytest.mark.parametrize("row", ["\r", "\x1b", "\x1b[0", "\x9b0"])
def test_stream_masker_takes_no_square_of_a_long_row(row: str) -> None:
    began = time.process_time()
    StreamMasker(Masker([])).piece(row * 200_000 + "x", is_last=False)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("row", ['\\"', '"', '"\\', '"abcd'])
def test_strings_of_an_expression_take_no_square_of_its_length(row: str) -> None:
    began = time.process_time()
    sensitive_texts(f'"{row * 40_000}', is_hcl=True)
    assert time.process_time() - began < 5


WRAPPED = "kJ8-very+long/secret_value=that&goes on and on 1234567890"


@given(st.integers(0, 40), st.sampled_from([16, 60, 64, 76]), st.sampled_from(["\n", "\n    ", "\\n"]))
def test_value_that_one_text_breaks_over_lines_is_masked(shift: int, width: int, end: str) -> None:
    """As the diagnostic of a provisioner that failed does: all that its program printed is in it."""
    encoded = base64.b64encode(b"p" * shift + WRAPPED.encode() + b"more").decode()
    shown = Masker([WRAPPED]).shown(f"Error running command. Output: {end.join(textwrap.wrap(encoded, width))}{end}end")
    core = base64.b64encode(b"p" * shift + WRAPPED.encode()).decode().rstrip("=")[(shift * 8 + 5) // 6 : -2]
    flat = shown.replace(end, "")
    assert not any(core[at : at + 12] in flat for at in range(len(core) - 12))
    assert shown.startswith("Error running command. Output: ")
    assert shown.endswith("end")


@pytest.mark.parametrize("value", ["pa${ss}w%{rd}9", "a$${b}c%%{d}", "${only}", "x%{ for y }"])
def test_value_is_masked_where_hcl_doubles_what_would_open_a_template(value: str) -> None:
    doubled = value.replace("${", "$${").replace("%{", "%%{")
    assert Masker([value]).text(f'null_resource.a["{doubled}"]: "{value}"') == f'null_resource.a["{MASK}"]: "{MASK}"'


def test_what_an_expression_means_is_masked_beside_how_it_is_written() -> None:
    masker = Masker(sensitive_texts('{ password = "a$${b}c%%{d}", pin = 73012845, port = 22 }', is_hcl=True))
    assert masker.text("said a${b}c%{d} and 73012845 on 22") == f"said {MASK} and {MASK} on 22"


@pytest.mark.parametrize("go", [False, True])
def test_value_is_masked_in_a_document_in_base64(go: bool) -> None:
    key = '-----BEGIN KEY-----\nab+/"<x>&\ncd\n-----END KEY-----'
    document = json.dumps({"type": "service_account", "private_key": key})
    if go:
        document = document.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    shown = Masker([key]).text(base64.b64encode(document.encode()).decode())
    assert shown.count(MASK) == 1
    left = base64.b64decode(shown.partition(MASK)[0] + "==="[: -len(shown.partition(MASK)[0]) % 4])
    assert left.startswith(b'{"type": "service_account"')
    assert b"BEGIN" not in left
