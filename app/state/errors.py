"""Errors of state."""

from app.core.errors import Conflict, Invalid, NotFound


class StateVersionNotFound(NotFound):
    """No such state version in the actor's organization, or the workspace has none yet."""

    code = "state_version_not_found"
    title = "No such state version"


class StateUnreadable(Invalid):
    """What was sent is not a state of format 4."""

    code = "state_unreadable"
    title = "This is not a state"


class StateConflict(Conflict):
    """The state does not follow the current one: another lineage, or a lower serial."""

    code = "state_conflict"
    title = "The state does not follow the current one"


class StateLocked(Conflict):
    """Another run holds the state lock."""

    code = "state_locked"
    title = "The state is locked"
