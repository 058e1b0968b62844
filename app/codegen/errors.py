"""What can't be rendered."""

from app.core.errors import Conflict, Invalid


class NotRenderable(Invalid):
    """A value has no form in HCL, or a name is no identifier; specs refuse those beforehand."""

    code = "not_renderable"
    title = "The value can't be written as HCL"


class BackendUnknown(Invalid):
    """There is no such state backend."""

    code = "backend_unknown"
    title = "No such state backend"


class SecretMissing(Conflict):
    """A spec refers to a secret that the workspace does not have; ``errors`` names the mapping."""

    code = "secret_missing"
    title = "A secret of the spec is missing"
