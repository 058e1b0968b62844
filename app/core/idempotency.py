"""``Idempotency-Key``: the same key with the same body gives the first answer, for a week; with another body 422.

The key's row is written in the request's own transaction, so two equal requests at once can't both act: the second
waits on the unique index and then reads the first one's answer.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import CursorResult, Table, UniqueConstraint, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import clock
from app.core.canonical import digest
from app.core.db import Base, Id
from app.core.errors import AppError
from app.core.ids import new_id
from app.core.permissions import Actor

REMEMBERED = timedelta(days=7)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Send the same key when you try again: the first answer comes back and nothing is done twice.",
    ),
]


class IdempotencyKeyReused(AppError):
    """The key was used before for another request."""

    status = 422
    code = "idempotency_key_reused"
    title = "The Idempotency-Key belongs to another request"


class IdempotencyRecord(Base):
    """What was answered to the first request with a key."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("organization_id", "actor_id", "key"),)

    id: Mapped[Id]
    organization_id: Mapped[str]
    actor_id: Mapped[str]
    key: Mapped[str]
    request_digest: Mapped[str]
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


# On the table: the answer is kept after whatever the request itself had to write.
_RECORDS = cast(Table, IdempotencyRecord.__table__)
_TAKE_KEY = insert(_RECORDS).on_conflict_do_nothing().returning(_RECORDS.c.id)
_KEEP_ANSWER = update(_RECORDS).where(_RECORDS.c.id == bindparam("record")).values(answer=bindparam("given"))


def once(
    session: Session,
    actor: Actor,
    key: str | None,
    request: tuple[str, Any],
    act: Callable[[], BaseModel],
) -> dict[str, Any]:
    """Do ``act`` unless this actor's ``key`` was answered before; return the answer as JSON data.

    ``request`` is the operation's name and its parsed input, which must be equal for a replay. Raises
    ``IdempotencyKeyReused`` when they differ.
    """
    if key is None:
        return act().model_dump(mode="json")
    fingerprint = digest([request[0], _plain(request[1])])
    row = {
        "id": new_id("idem"),
        "organization_id": actor.organization_id,
        "actor_id": actor.id,
        "key": key,
        "request_digest": fingerprint,
        "created_at": clock.now(),
    }
    if session.execute(_TAKE_KEY, row).scalar() is not None:
        answer = act().model_dump(mode="json")
        session.execute(_KEEP_ANSWER, {"record": row["id"], "given": answer})
        return answer
    record = session.scalars(
        select(IdempotencyRecord).filter_by(organization_id=actor.organization_id, actor_id=actor.id, key=key)
    ).one_or_none()
    if record is None:
        # It was there and so old that it was removed in between.
        return once(session, actor, key, request, act)
    if record.request_digest != fingerprint or record.answer is None:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was sent before with another request. Use a new key for a new request.",
            errors=[{"field": "Idempotency-Key", "message": "was used for another request"}],
        )
    return record.answer


def remove_before(session: Session, before: datetime, limit: int) -> int:
    """Forget up to ``limit`` keys that were first sent before ``before``; return how many."""
    old = select(IdempotencyRecord.id).where(IdempotencyRecord.created_at < before).limit(limit)
    result = session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.id.in_(old)))
    return result.rowcount if isinstance(result, CursorResult) else 0


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
