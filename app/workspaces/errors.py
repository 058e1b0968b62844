"""Errors of workspaces."""

from app.core.errors import Conflict, Forbidden, Invalid, NotFound


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


class WorkspaceBusy(Conflict):
    """The workspace can't be deleted while runs live or its state holds resources."""

    code = "workspace_busy"
    title = "The workspace is in use"


class BackendSettingsInvalid(Invalid):
    """A setting of the state backend is missing, unknown, wrong, or a secret; ``errors`` names each."""

    code = "state_backend_settings_invalid"
    title = "The state backend's settings are not valid"


class StateBackendFixed(Conflict):
    """The workspace has a state, or a run that may leave one, so its backend changes by a migration run alone."""

    code = "state_backend_fixed"
    title = "The state backend is fixed"


class StateLocationTaken(Conflict):
    """Another workspace keeps its state in that very place."""

    code = "state_location_taken"
    title = "Another workspace has that state"


class VariableNotFound(NotFound):
    """The workspace has no such variable."""

    code = "variable_not_found"
    title = "No such variable"


class VariableRefused(Invalid):
    """The variable's name or value can't be used."""

    code = "variable_refused"
    title = "The variable can't be used"


class RulesMustBePerson(Forbidden):
    """A service account or an AI agent tried to change a rule of the gate, or to take a tag away."""

    code = "rules_must_be_person"
    title = "Only people change the gate's rules"


class TagsAreRules(Forbidden):
    """A tag was to be taken from a workspace by someone who may not change its rules: policies bind by tags."""

    code = "tags_are_rules"
    title = "You may not take tags away"
