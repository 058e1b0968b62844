"""Passwords: argon2id, and the same time spent on users that do not exist."""

from functools import lru_cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 12
MAX_LENGTH = 256

_hasher = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
_at_once = BoundedSemaphore(4)  # bounds what a burst of logins can take: 32 MiB each


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, with its salt and parameters."""
    with _at_once:
        return _hasher.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return hash_password("the password of nobody")


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether ``password`` fits. Without a hash the same work is done, and the answer is False."""
    nobody = _nobody()
    expected = password_hash or nobody
    try:
        with _at_once:
            _hasher.verify(expected, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)
