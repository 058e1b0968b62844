"""The audit trail's vocabulary."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


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
    action: str = Field(examples=["run.approved"])
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


class ChainReport(BaseModel):
    """What a check of one organization's chain found: events checked, the head's hash, the first broken position."""

    checked: int
    head_hash: str | None
    broken_at: int | None
    is_intact: bool
