"""Errors of halts."""

from app.core.errors import Conflict, Forbidden, NotFound


class ScopeForbidden(Forbidden):
    """Only the operator organization may halt or resume everything."""

    code = "halt_scope_forbidden"
    title = "This scope is not yours to halt"


class NotHalted(Conflict):
    """No halt stands at that scope."""

    code = "not_halted"
    title = "Nothing is halted there"


class DrillNotFound(NotFound):
    """There is no such drill in this organization."""

    code = "drill_not_found"
    title = "No such drill"


class DrillNotPossible(Conflict):
    """The workspace has runs of its own, which a drill would stop; or a drill is under way there."""

    code = "drill_not_possible"
    title = "No drill there now"


class HaltNotFound(NotFound):
    """There is no such halt over this organization."""

    code = "halt_not_found"
    title = "No such halt"
