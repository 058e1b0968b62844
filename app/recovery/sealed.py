"""Where recovery keeps envelopes."""

import json
from typing import Any

import zstandard
from sqlalchemy.orm import Session

from app.core.crypto import Binding, key_ring
from app.core.resealing import SealedColumn
from app.recovery.models import RecoveryItem, RecoveryList


def list_binding(row: RecoveryList) -> Binding:
    """Return what the steps of a list are bound to."""
    return Binding(row.organization_id, "recovery_steps", row.run_id)


def item_binding(row: RecoveryItem) -> Binding:
    """Return what an item's envelope is bound to."""
    return Binding(row.organization_id, "recovery_item", row.id, row.run_id)


def seal(value: Any, binding: Binding) -> bytes:
    """Return a JSON value as an envelope."""
    return key_ring().seal(zstandard.compress(json.dumps(value).encode(), 3), binding)


def unseal(envelope: bytes, binding: Binding) -> Any:
    """Return the JSON value of an envelope. Raises ``IntegrityError``."""
    return json.loads(zstandard.decompress(key_ring().open(envelope, binding)))


def _list(_: Session, row: RecoveryList) -> Binding:
    return list_binding(row)


def _item(_: Session, row: RecoveryItem) -> Binding:
    return item_binding(row)


SEALED = (
    SealedColumn(RecoveryList, RecoveryList.steps, _list),
    SealedColumn(RecoveryItem, RecoveryItem.sealed, _item),
)
