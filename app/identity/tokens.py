"""Secrets that Sluice gives out: bearer tokens, session cookies, login links. Only their SHA-256 is kept."""

import secrets
import zlib

from app.core.canonical import sha256_hex

_PREFIX = "slc_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BYTES = 32
_SECRET_CHARACTERS = 43
_CHECKSUM_CHARACTERS = 6


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARACTERS)


def new_token() -> str:
    """Return a fresh bearer token: ``slc_``, 32 random bytes in base 62, and a checksum that secret scanners verify."""
    body = _PREFIX + _base62(int.from_bytes(secrets.token_bytes(_SECRET_BYTES)), _SECRET_CHARACTERS)
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether ``token`` has our prefix, length and checksum; what has not needs no look-up."""
    body, checksum = token[:-_CHECKSUM_CHARACTERS], token[-_CHECKSUM_CHARACTERS:]
    length = len(_PREFIX) + _SECRET_CHARACTERS + _CHECKSUM_CHARACTERS
    return len(token) == length and token.isascii() and token.startswith(_PREFIX) and _checksum(body) == checksum


def new_secret() -> str:
    """Return a fresh secret for a session cookie or a login link, safe in URLs."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret. It is random, so a plain SHA-256 can't be guessed backwards."""
    return sha256_hex(secret.encode())
