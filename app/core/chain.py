"""The audit trail's hash chain as a format: what is hashed of an event, and how an event stands in an export.

Pure, so that whoever holds an export can check it without a server. The hash of an event is the SHA-256 of canonical
JSON (RFC 8785) over its position, the hash before it, and all that it says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from app.core.canonical import digest

EXPORT_FORMAT = 1


@dataclass(frozen=True)
class ChainedEvent:
    """An audit event that has its place in the chain. ``position`` counts from 1; the first has no hash before it."""

    position: int
    previous_hash: str | None
    hash: str
    id: int
    organization_id: str
    at: datetime
    actor: dict[str, Any]
    source_address: str | None
    action: str
    target_kind: str
    target_id: str
    evidence: dict[str, Any]

    def link(self, *, position: int | None = None, previous: str | None = None) -> str:
        """Return the hash that the event has where it stands; or that it would have elsewhere, behind ``previous``.

        "" for what was never chained so: it holds what canonical JSON can't.
        """
        hashed = {
            "position": self.position if position is None else position,
            "previous": self.previous_hash if position is None else previous,
            "id": self.id,
            "organization_id": self.organization_id,
            "at": self.at.astimezone(UTC).isoformat(),
            "actor": self.actor,
            "source_address": self.source_address,
            "action": self.action,
            "target": [self.target_kind, self.target_id],
            "evidence": self.evidence,
        }
        try:
            return digest(hashed)
        except (rfc8785.CanonicalizationError, UnicodeError):
            return ""

    def to_line(self) -> dict[str, Any]:
        """Return the event as a line of an export."""
        return {
            "type": "event",
            "position": self.position,
            "id": self.id,
            "organization_id": self.organization_id,
            "at": self.at.astimezone(UTC).isoformat(),
            "actor": self.actor,
            "source_address": self.source_address,
            "action": self.action,
            "target": {"kind": self.target_kind, "id": self.target_id},
            "evidence": self.evidence,
            "previous_hash": self.previous_hash,
            "hash": self.hash,
        }

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> "ChainedEvent":
        """Read a line of an export. Raises ``ValueError`` that says what is wrong with it."""
        try:
            event = cls(
                position=line["position"],
                previous_hash=line["previous_hash"],
                hash=line["hash"],
                id=line["id"],
                organization_id=line["organization_id"],
                at=datetime.fromisoformat(line["at"]),
                actor=line["actor"],
                source_address=line["source_address"],
                action=line["action"],
                target_kind=line["target"]["kind"],
                target_id=line["target"]["id"],
                evidence=line["evidence"],
            )
        except KeyError as error:
            raise ValueError(f"an event without {error}") from None
        except TypeError:
            raise ValueError("an event whose fields have other types than an export writes") from None
        if type(event.position) is not int or type(event.id) is not int or event.at.tzinfo is None:
            raise ValueError("an event whose position, id or time is none")
        return event
