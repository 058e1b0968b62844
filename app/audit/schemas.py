"""The audit trail's vocabulary."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.core.chain_check import BadRow, ChainFinding, Finding
from app.core.checkpoints import PublicKey


class AuditActor(BaseModel):
    """Who acted, as they were named then."""

    id: str
    kind: str
    name: str


class AuditTarget(BaseModel):
    """What was acted on."""

    kind: str
    id: str


class AuditEventOut(BaseModel):
    """One audit event. ``chain_seq`` and ``hash`` are null until the sequencer has chained it, seconds later."""

    id: int
    at: datetime
    actor: AuditActor
    action: str = Field(examples=["run.approve"])
    target: AuditTarget
    evidence: dict[str, Any]
    source_address: str | None
    chain_seq: int | None
    previous_hash: str | None
    hash: str | None


class AuditFilter(BaseModel):
    """Which events: each field that is set narrows the list. ``action`` ending in ``.*`` takes the whole family."""

    action: str | None = None
    target_id: str | None = None
    actor_id: str | None = None


class ExportFilter(BaseModel):
    """Which events an export holds: from ``since`` to before ``until``, of an action or a family of them.

    ``after`` is a position, behind which the export begins. An export with any of the others has gaps, and can't be
    verified.
    """

    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    after: int = 0

    @property
    def has_gaps(self) -> bool:
        """Whether events between others may be left out."""
        return self.since is not None or self.until is not None or self.action is not None


class ChainReport(BaseModel):
    """What a check of an organization's chain found, or of one page of it.

    ``checked`` counts events and ``checkpoints`` those that were held against them; ``checkpoint_position`` is how far
    signed checkpoints agree. ``finding``, ``broken_at``, ``row`` and ``message`` tell of the first of ``findings``.
    While ``is_complete`` is false, go on with ``?after=`` ``head_position`` and ``previous=`` ``head_hash``.
    """

    is_intact: bool
    is_complete: bool
    checked: int
    checkpoints: int
    head_position: int
    head_hash: str | None
    checkpoint_position: int
    waiting: int = Field(description="Events that the sequencer has not chained for longer than five minutes.")
    broken_at: int | None
    finding: Finding | None
    row: BadRow | None
    message: str
    findings: list[ChainFinding]


class CheckpointOut(BaseModel):
    """A signed checkpoint: how far the chain went, and its last hash. ``document`` is what is signed, as it is."""

    sequence: int
    position: int
    head_hash: str
    at: datetime
    digest: str
    key_id: str
    is_stored: bool
    document: dict[str, Any]


class KeysOut(BaseModel):
    """The public keys that sign checkpoints, the present one first. Keep one elsewhere, to verify exports with."""

    algorithm: str = "ed25519"
    items: list[PublicKey]
