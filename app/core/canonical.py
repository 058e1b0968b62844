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


def _number(text: str) -> tuple[str, str]:
    return ("number", text)
