"""Errors of workspaces."""

from app.core.errors import Conflict, Invalid, NotFound


class WorkspaceNotFound(NotFound):
    """No workspace of that name or id in the actor's organization."""

    code = "workspace_not_found"
    title = "No such workspace"


class WorkspaceExists(Conflict):
    """The name is taken."""

    code = "workspace_exists"
    title = "The workspace exists"


class WorkspaceHalted(Conflict):
    """A halt stands over the workspace, so it can't be deleted."""

    code = "workspace_halted"
    title = "A halt stands over the workspace"


class VariableNotFound(NotFound):
    """The workspace has no such variable."""

    code = "variable_not_found"
    title = "No such variable"


class VariableRefused(Invalid):
    """The variable's name or value can't be used."""

    code = "variable_refused"
    title = "The variable can't be used"
