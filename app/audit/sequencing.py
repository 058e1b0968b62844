"""The sequencer: chains events after commit, and signs checkpoints of the chain's head.

A checkpoint is written into its index first, document and all, and then put into the artifact store outside of any
transaction; what a fall in between left out is put there by the next pass. The document is deterministic, so that
putting it twice is putting it once.
"""

import logging
from datetime import timedelta

from sqlalchemy.orm import Session

from app.audit import repository
from app.audit.checkpoint_store import KIND, found_in_store, newest_valid, owner_of
from app.audit.models import AuditCheckpoint
from app.core import clock
from app.core.artifacts import artifact_store
from app.core.canonical import canonical_json
from app.core.chain import ChainedEvent
from app.core.checkpoints import Checkpoint, SigningKeys, Trust
from app.core.crypto import key_ring
from app.core.db import unit_of_work

BATCH = 500
EVERY_EVENTS = 1000
EVERY = timedelta(minutes=10)
IDLE = timedelta(minutes=1)
"""A trail that has gone quiet gets its checkpoint, but no more than one in this time."""
_log = logging.getLogger(__name__)


def chain(session: Session, organization_id: str) -> int:
    """Chain up to a batch of an organization's waiting events in the order they were written; return how many.

    Does nothing when another sequencer is at it. Behind a tail that was cut it goes on where the last checkpoint was,
    so that the gap stays and what was lost fits in again.
    """
    if not repository.become_sequencer(session, organization_id):
        return 0
    position, previous = _end(session, organization_id)
    rows = repository.unchained(session, organization_id, BATCH)
    for row in rows:
        position += 1
        row.chain_seq, row.previous_hash = position, previous
        event = ChainedEvent(
            position=position,
            previous_hash=previous,
            hash="",
            id=row.id,
            organization_id=row.organization_id,
            at=row.created_at,
            actor=row.actor,
            source_address=row.source_address,
            action=row.action,
            target_kind=row.target_kind,
            target_id=row.target_id,
            evidence=row.evidence,
        )
        previous = row.hash = event.link()
    session.flush()
    return len(rows)


def _end(session: Session, organization_id: str) -> tuple[int, str | None]:
    """Return the position and hash that the next event follows."""
    last = repository.head(session, organization_id)
    position = last.chain_seq if last is not None and last.chain_seq is not None else 0
    previous = last.hash if last is not None else None
    noted = repository.last_checkpoint(session, organization_id)
    if noted is not None and noted.position > position:
        checkpoint = _latest(session, organization_id)
        if checkpoint is not None and checkpoint.position > position:
            _log.critical(
                "the tail of an audit chain is gone; what comes now is chained behind the last checkpoint",
                extra={"organization": organization_id, "head": position, "checkpoint": checkpoint.position},
            )
            return checkpoint.position, checkpoint.head_hash
    return position, previous


def checkpoint(session: Session, organization_id: str, *, is_idle: bool, under_new_key: bool = False) -> bool:
    """Sign a checkpoint of the head and index it, when one is due; return whether one was.

    ``is_idle`` says that nothing waits to be chained. With ``under_new_key`` one is due when the present key has not
    signed the last. Does nothing when another sequencer is at it.
    """
    if not repository.become_sequencer(session, organization_id):
        return False
    head = repository.head(session, organization_id)
    last = _latest(session, organization_id)
    keys = SigningKeys(key_ring())
    if under_new_key:
        if last is None or last.signer == keys.current:
            return False
    elif head is None or not _is_due(head.chain_seq or 0, last, is_idle=is_idle):
        return False
    is_behind = last is not None and (head is None or (head.chain_seq or 0) < last.position)
    if last is not None and is_behind:
        position, head_hash = last.position, last.head_hash
    elif head is not None and head.hash is not None:
        position, head_hash = head.chain_seq or 0, head.hash
    else:
        return False
    former = [key for key in last.keys if key != keys.current] if last is not None else []
    signed = keys.sign(
        Checkpoint(
            organization_id=organization_id,
            sequence=last.sequence + 1 if last is not None else 1,
            position=position,
            head_hash=head_hash,
            at=clock.now(),
            previous=last.digest if last is not None else None,
            keys=(keys.current, *former),
        ),
        [last.signer.id] if last is not None else [],
    )
    _index(session, signed)
    return True


def _is_due(head: int, last: Checkpoint | None, *, is_idle: bool) -> bool:
    if last is None:
        return True
    if head <= last.position:
        return False
    age = clock.now() - last.at
    return head - last.position >= EVERY_EVENTS or age >= (IDLE if is_idle else EVERY)


def _latest(session: Session, organization_id: str) -> Checkpoint | None:
    """Return the newest checkpoint that is truly ours: the indexed one, else the artifact store's."""
    row = repository.last_checkpoint(session, organization_id)
    if row is None:
        return None
    trust = Trust(SigningKeys(key_ring()).public)
    try:
        found = Checkpoint.parse(row.document)
    except ValueError:
        found = None
    is_ours = found is not None and found.organization_id == organization_id and found.sequence == row.sequence
    if found is not None and is_ours and trust.accepts(found):
        return found
    _log.critical("an indexed audit checkpoint was altered", extra={"organization": organization_id})
    return newest_valid(found_in_store(organization_id), trust)


def _index(session: Session, signed: Checkpoint, *, is_stored: bool = False) -> None:
    repository.add_checkpoint(
        session,
        AuditCheckpoint(
            organization_id=signed.organization_id,
            sequence=signed.sequence,
            position=signed.position,
            digest=signed.digest,
            document=signed.document(),
            stored_at=clock.now() if is_stored else None,
            created_at=clock.now(),
        ),
    )


def store_checkpoints(organization_id: str) -> int:
    """Put what the artifact store may not have yet there; return how many. Raises what the store raises."""
    with unit_of_work() as session:
        waiting = [(row.sequence, row.position, row.document) for row in repository.unstored(session, organization_id)]
    for sequence, position, document in waiting:
        owner = owner_of(sequence, position)
        artifact_store().put(canonical_json(document), organization_id=organization_id, kind=KIND, owner=owner)
        with unit_of_work() as session:
            repository.mark_stored(session, organization_id, sequence, clock.now())
    return len(waiting)


def adopt_checkpoints(organization_id: str) -> int:
    """Index the checkpoints of the artifact store that are younger than the index; return how many.

    So a database that was restored from a backup chains on behind what it has lost.
    """
    stored = found_in_store(organization_id)
    trust = Trust(SigningKeys(key_ring()).public)
    newest_valid(stored, trust)
    known = _last_sequence(organization_id)
    # Read before the transaction: one that waits for the store is taken for frozen.
    younger = [(one, one.read().checkpoint) for one in stored if one.sequence > known]
    adopted = 0
    with unit_of_work() as session:
        if not younger or not repository.become_sequencer(session, organization_id):
            return 0
        last = repository.last_checkpoint(session, organization_id)
        for one, document in younger:
            if last is not None and one.sequence <= last.sequence:
                continue
            if document is not None and one.names(document) and trust.accepts(document):
                _index(session, document, is_stored=True)
                adopted += 1
    if adopted:
        _log.warning(
            "audit checkpoints were found that the database did not know: was it restored?",
            extra={"organization": organization_id, "checkpoints": adopted},
        )
    return adopted


def _last_sequence(organization_id: str) -> int:
    with unit_of_work() as session:
        last = repository.last_checkpoint(session, organization_id)
    return last.sequence if last is not None else -1


def sign_under_present_key() -> int:
    """Give every organization a checkpoint under the key that signs now; return how many needed one.

    Before an old master key is removed: from then on nothing else vouches for what it has signed.
    """
    with unit_of_work() as session:
        organizations = repository.organizations_with_checkpoints(session)
    made = 0
    for organization_id in organizations:
        with unit_of_work() as session:
            made += checkpoint(session, organization_id, is_idle=True, under_new_key=True)
        store_checkpoints(organization_id)
    return made
