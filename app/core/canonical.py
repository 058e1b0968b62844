"""Canonical JSON and digests."""

import hashlib
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
