"""Errors of halts."""

from app.core.errors import Conflict, Forbidden


class ScopeForbidden(Forbidden):
    """Only the operator organization may halt or resume everything."""

    code = "halt_scope_forbidden"
    title = "This scope is not yours to halt"


class NotHalted(Conflict):
    """No halt stands at that scope."""

    code = "not_halted"
    title = "Nothing is halted there"
