"""Canonical JSON and digests."""

import hashlib
import json
from collections.abc import Collection
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as canonical JSON by RFC 8785.

    Raises ``rfc8785.CanonicalizationError`` for what JSON can't hold.
    """
    return rfc8785.dumps(value)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``, in hexadecimal."""
    return sha256_hex(canonical_json(value))


def is_same_document(one: bytes, other: bytes, *, besides: Collection[str] = ()) -> bool:
    """Return whether two JSON objects are the same whatever their layout, members named in ``besides`` left out.

    Numbers are compared as they are written, since a float would make different ones equal. Raises ``ValueError``.
    """
    first, second = (json.loads(data, parse_float=_number, parse_int=_number) for data in (one, other))
    for name in besides:
        first.pop(name, None)
        second.pop(name, None)
    return bool(first == second)


def with_member(document: bytes, name: str, value: int | str) -> bytes:
    """Return a JSON object with another value of one of its members; every other byte stays.

    Numbers stay as precise as they were written, which reading and writing them again does not promise. Raises
    ``ValueError`` for what is no JSON object, or has no such member.
    """
    text, decoder = document.decode(), json.JSONDecoder()
    try:
        position = _skip(text, text.index("{") + 1)
        while text[position] != "}":
            found, position = decoder.raw_decode(text, position)
            start = _skip(text, text.index(":", position) + 1)
            _, end = decoder.raw_decode(text, start)
            if found == name:
                return f"{text[:start]}{json.dumps(value)}{text[end:]}".encode()
            position = _skip(text, end)
            if text[position] == ",":
                position = _skip(text, position + 1)
    except IndexError:
        raise ValueError("the document is cut short") from None
    raise ValueError(f"the document has no member {name!r}")


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def _number(text: str) -> tuple[str, str]:
    return ("number", text)
