"""Verifying an organization's chain, a bounded page at a time, against the checkpoints in the artifact store."""

from datetime import timedelta
from typing import Literal

from sqlalchemy.orm import Session

from app.audit import repository
from app.audit.checkpoint_store import found_in_store, newest_valid
from app.audit.schemas import ChainReport
from app.core import clock
from app.core.chain_check import BadRow, ChainCheck, ChainFinding
from app.core.checkpoints import SigningKeys, Trust
from app.core.crypto import key_ring
from app.core.errors import Invalid

BATCH = 1000
PAGE = 20_000
MOST = 100_000
LATE = timedelta(minutes=5)
"""An event that the sequencer has not chained by then is a finding: it comes by every ten seconds."""


def verify_chain(
    session: Session, organization_id: str, *, after: int = 0, previous: str | None = None, limit: int = PAGE
) -> ChainReport:
    """Check up to ``limit`` events behind the position ``after``, whose hash is ``previous``; report what is wrong.

    Without ``previous`` the checkpoint of that position vouches for it. Raises ``Invalid`` when there is none, and
    ``ArtifactStoreUnavailable``.
    """
    # Read before the listing: what becomes known in between is in the store already.
    indexed = repository.indexed(session, organization_id, after)
    listed = found_in_store(organization_id)
    trust = Trust(SigningKeys(key_ring()).public)
    newest_valid(listed, trust)
    before = [one for one in listed if one.position <= after]
    behind = [one for one in listed if one.position > after or not after]
    anchor = newest_valid(before, trust) if after else None
    if after and previous is None:
        if anchor is None or anchor.position != after:
            message = (
                f"there is no checkpoint at position {after}: name the hash of its event, too, or the position of a "
                "checkpoint (`sluice audit checkpoints` lists them)"
            )
            raise Invalid(f"{message[0].upper()}{message[1:]}.", errors=[{"field": "after", "message": message}])
        previous = anchor.head_hash
    check = ChainCheck(
        organization_id,
        (one.read() for one in behind),
        trust,
        position=after,
        previous=previous,
        before=anchor.digest if anchor is not None else None,
        agreed_position=anchor.position if anchor is not None else 0,
    )
    ended = _walk(session, check, organization_id, after, limit)
    is_complete = ended != "limit"
    if ended == "head":
        check.finish()
    present = {one.reference.digest for one in listed}
    findings = check.findings
    findings += [
        _not_stored(sequence, position)
        for sequence, position, digest in indexed
        if digest not in present and (is_complete or position <= check.position)
    ]
    waiting, oldest = repository.waiting(session, organization_id, clock.now() - LATE)
    if is_complete:
        findings += [*_cut_below(session, organization_id, after), *_late(session, waiting, oldest)]
    first = findings[0] if findings else None
    return ChainReport(
        is_intact=first is None,
        is_complete=is_complete,
        checked=check.checked,
        checkpoints=check.checkpoints,
        head_position=check.position,
        head_hash=check.head_hash,
        checkpoint_position=check.agreed_position,
        waiting=waiting,
        broken_at=first.first_position if first is not None else None,
        finding=first.finding if first is not None else None,
        row=first.row if first is not None else None,
        message=first.message if first is not None else _said(check),
        findings=findings,
    )


def _walk(
    session: Session, check: ChainCheck, organization_id: str, after: int, limit: int
) -> Literal["head", "limit", "full"]:
    """Check up to ``limit`` events; return what ended it: the chain's head, the limit, or more findings than help."""
    left = limit
    while left:
        size = min(BATCH, left)
        events = repository.chained_after(session, organization_id, after, size)
        for event in events:
            check.take(event)
        if check.is_full:
            return "full"
        if len(events) < size:
            return "head"
        after, left = events[-1].position, left - size
    return "limit" if repository.chained_after(session, organization_id, after, 1) else "head"


def _cut_below(session: Session, organization_id: str, after: int) -> list[ChainFinding]:
    head = repository.head(session, organization_id)
    position = head.chain_seq if head is not None and head.chain_seq is not None else 0
    if position >= after:
        return []
    message = f"The tail was cut: the chain ends at position {position}, before the trusted position {after}."
    return [ChainFinding(finding="tail_cut", first_position=position + 1, last_position=after, message=message)]


def _not_stored(sequence: int, position: int) -> ChainFinding:
    return ChainFinding(
        finding="checkpoint_missing",
        first_position=position,
        last_position=position,
        message=f"Checkpoint {sequence} (position {position}) is not in the artifact store any more.",
    )


def _late(session: Session, count: int, oldest: int | None) -> list[ChainFinding]:
    row = repository.event(session, oldest) if oldest is not None else None
    if row is None:
        return []
    return [
        ChainFinding(
            finding="unchained",
            first_position=0,
            last_position=0,
            message=f"{count} event{'s' if count > 1 else ''} older than {LATE.seconds // 60} minutes wait for the "
            f"sequencer, the oldest is row {row.id} ({row.action}). Does a worker run?",
            row=BadRow(id=row.id, position=0, action=row.action, at=row.created_at),
        )
    ]


def _said(check: ChainCheck) -> str:
    if check.agreed_position >= check.position:
        return "The chain is intact, and a signed checkpoint has its last hash."
    return f"The chain is intact; signed checkpoints agree up to position {check.agreed_position}."
