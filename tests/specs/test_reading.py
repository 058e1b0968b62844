import pytest

from app.core.errors import AppError
from app.specs.errors import SpecTooLarge, SpecUnreadable
from app.specs.reading import LIMIT_BYTES, read_document


def problem_of(data: bytes) -> str:
    with pytest.raises(SpecUnreadable) as caught:
        read_document(data)
    return str(caught.value.fields["errors"][0])


def test_read_document_yaml_plain_scalars_are_read_by_the_rules_of_json() -> None:
    text = b"a: no\nb: 12:30\nc: 0755\nd: 2026-01-02\ne: true\nf: 12\ng: null\nh: 1.6.0\ni: '5'\nj: on\nk: 1_000\n"
    assert read_document(text) == {
        "a": "no",
        "b": "12:30",
        "c": "0755",
        "d": "2026-01-02",
        "e": True,
        "f": 12,
        "g": None,
        "h": "1.6.0",
        "i": "5",
        "j": "on",
        "k": "1_000",
    }


def test_read_document_json_and_yaml_of_the_same_content_are_equal() -> None:
    assert read_document(b'{"a": [1, "x", {"b": null}]}') == read_document(b"a:\n- 1\n- x\n- b: null\n")
    assert read_document(b"{a: [1, x]}") == {"a": [1, "x"]}


@pytest.mark.parametrize("text", [b'{"a": 1, "b": {"c": 1, "c": 2}}', b"b:\n  c: 1\n  c: 2\n"])
def test_read_document_duplicate_key_is_refused_by_name(text: bytes) -> None:
    assert "twice" in problem_of(text)
    assert "c'" in problem_of(text)


@pytest.mark.parametrize(
    "text",
    [
        b"a: !!python/object/apply:os.system ['true']",
        b"a: !!python/name:os.system x",
        b"a: !custom x",
        b"a: !!binary aGk=",
        b"a: !!set {x}",
        b"? [a, b]\n: 1",
        b"<<: {a: 1}",
        b"a: &x [*x]",
        b"a: [1, 2",
        b"\x00",
        b"a: \x07",
        b"\x07" * 5000,
        b"a: 1\n---\nb: 2",
        b"",
        b"a: \xff",
        b'{"a": NaN}',
        b'{"a": 1',
        b"a: *nobody",
    ],
)
def test_read_document_unsafe_or_broken_text_is_refused(text: bytes) -> None:
    assert problem_of(text)


def test_read_document_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "aliases" in problem_of("\n".join(lines).encode())


@pytest.mark.parametrize("text", [b"[" * 5000, b'{"a":' * 5000, b"a: " + b"[" * 200 + b"]" * 200])
def test_read_document_too_deep_is_refused(text: bytes) -> None:
    with pytest.raises(AppError) as caught:
        read_document(text)
    assert caught.value.status == 422


def test_read_document_too_large_is_413() -> None:
    with pytest.raises(SpecTooLarge) as caught:
        read_document(b"a: " + b"x" * LIMIT_BYTES)
    assert caught.value.status == 413
    assert caught.value.fields["limit_bytes"] == LIMIT_BYTES


def test_read_document_huge_integer_is_refused() -> None:
    assert "too large" in problem_of(b'{"a": ' + b"9" * 5000 + b"}")
