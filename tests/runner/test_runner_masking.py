import base64
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.runner.masking import MASK, Masker, StreamMasker, sensitive_texts

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
    assert out + stream.piece(text[start:], is_last=True) == text


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


def test_json_values_and_keys_are_masked_and_others_kept() -> None:
    masker = Masker(["hunter2", "4711"])
    assert masker.value({"hunter2": ["x hunter2", 4711, 4712, True, None]}) == {
        MASK: [f"x {MASK}", MASK, 4712, True, None]
    }


@pytest.mark.parametrize("values", [[], [""], [" "]])
def test_without_values_nothing_changes(values: list[str]) -> None:
    assert Masker(values).text("a b  c") == "a b  c"
