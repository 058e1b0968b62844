"""Which failures of `init` pass by themselves, and how long to wait before the next attempt."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TRANSIENT = re.compile(
    r"connection (?:refused|reset)|connection timed out|i/o timeout|TLS handshake timeout|no such host"
    r"|temporary failure in name resolution|server misbehaving|network is unreachable|no route to host"
    r"|unexpected EOF|broken pipe|context deadline exceeded|Client\.Timeout exceeded|request canceled while waiting"
    r"|too many requests|(?:status|code|error|returned|HTTP)[ :/0-9.]{0,12}\b(?:429|500|502|503|504)\b"
    r"|\b(?:429|500|502|503|504) (?:Too Many|Internal Server|Bad Gateway|Service Unavailable|Gateway Time)"
    r"|text file busy|giving up after \d+ attempt|early EOF|the remote end hung up unexpectedly|Could not resolve host",
    re.IGNORECASE,
)

# Said beside what sounds transient, these are the cause.
_PERMANENT = re.compile(
    r"\b(?:401 Unauthorized|403 Forbidden|404 Not Found)|unauthorized|requires authentication|incorrect checksum"
    r"|checksum list|match any of the checksums|checking signature|not signed"
    r"|no available releases match|does not have a provider named|not found in any of the search locations",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RetryPolicy:
    """At most ``attempts`` in all; the wait doubles from ``first_seconds`` up to ``longest_seconds``."""

    attempts: int = 4
    first_seconds: float = 1.0
    longest_seconds: float = 10.0

    def wait_after(self, attempt: int) -> float | None:
        """Return how many seconds to wait after the failed ``attempt`` (the first is 1); None: give up."""
        if attempt >= self.attempts:
            return None
        wait: float = min(self.first_seconds * 2.0 ** (attempt - 1), self.longest_seconds)
        return wait


def is_transient(messages: Iterable[str]) -> bool:
    """Return whether any of the engine's messages tells of a failure that may pass: network, or a busy server."""
    return any(_TRANSIENT.search(message) for message in messages)


def may_pass(errors: Sequence[str]) -> bool:
    """Return whether another attempt may succeed: every one of the engine's errors tells of a failure that may pass."""
    return bool(errors) and all(_TRANSIENT.search(error) and not _PERMANENT.search(error) for error in errors)
