"""Errors of recovery."""

from app.core.errors import Conflict, NotFound


class RecoveryItemNotFound(NotFound):
    """No such item of a recovery list in the actor's organization."""

    code = "recovery_item_not_found"
    title = "No such item of a recovery list"


class RecoveryItemSettled(Conflict):
    """The item was dismissed already, or a state knows the resource by now."""

    code = "recovery_item_settled"
    title = "The item is settled already"
