"""Keyset pages: a list costs a page, not the table."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.core.errors import Invalid

T = TypeVar("T")
K = TypeVar("K")


class Page(BaseModel, Generic[T]):
    """One page of a list. ``next_cursor`` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


class PageParams(BaseModel):
    """How many items, and after which."""

    limit: int = 50
    cursor: str | None = None


def page_params(
    limit: Annotated[int, Query(ge=1, le=200, description="Items a page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> PageParams:
    """FastAPI dependency for ``?limit=&cursor=``."""
    return PageParams(limit=limit, cursor=cursor)


PageDep = Annotated[PageParams, Depends(page_params)]


def encode_cursor(key: Any) -> str:
    """Return ``key`` (any JSON value) as an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type[K]) -> K:
    """Return the key in ``cursor``. Raises ``Invalid`` when it is not one of ours, or its key is of another kind."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _foreign() from None
    if type(key) is not kind:
        raise _foreign()
    return key


def _foreign() -> Invalid:
    message = "is not a cursor that this API gave; leave it out to begin at the first page"
    return Invalid.of_field("cursor", message)


def fetch_page(
    session: Session,
    query: Select[T],
    key: InstrumentedAttribute[str] | InstrumentedAttribute[int],
    params: PageParams,
    *,
    newest_first: bool = True,
) -> tuple[Sequence[T], str | None]:
    """Run ``query`` for one page ordered by the unique column ``key``; return its rows and the next cursor."""
    if params.cursor is not None:
        value = decode_cursor(params.cursor, key.type.python_type)
        condition: ColumnElement[bool] = key < value if newest_first else key > value
        query = query.where(condition)
    query = query.order_by(key.desc() if newest_first else key.asc()).limit(params.limit + 1)
    rows = session.scalars(query).all()
    if len(rows) <= params.limit:
        return rows, None
    rows = rows[: params.limit]
    return rows, encode_cursor(getattr(rows[-1], key.key))
