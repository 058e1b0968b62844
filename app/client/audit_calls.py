"""Calls of the audit trail: its chain, signed checkpoints, public keys, and the export that is read by ``lines``."""

from typing import Any

from app.client.calls import Call, Json, get

PAGE_OF_CHAIN = 50_000


def audit_chain(after: int = 0, previous: str | None = None, limit: int = PAGE_OF_CHAIN) -> Call[Json]:
    """Verify a page of the chain: ``limit`` events behind the position ``after``, whose hash is ``previous``."""
    call: Call[Any] = get("/audit/chain", after=after, previous=previous, limit=limit)
    return Call(call.method, call.path, call.read, params=call.params, timeout_seconds=120.0)


def audit_keys() -> Call[Json]:
    """Read the public keys that checkpoints are signed with."""
    return get("/audit/keys")


def export_audit(
    *, since: str | None = None, until: str | None = None, action: str | None = None, after: int = 0
) -> Call[Any]:
    """Export the chained events as JSON Lines; send it with ``lines``. The moments are ISO 8601."""
    return get("/audit/export", since=since, until=until, action=action, after=after)
