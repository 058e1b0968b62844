"""What can be wrong with a stack or its spec."""

from app.configurations.errors import (
    ArchiveRefused,
    ArchiveTooLarge,
    ConfigurationChanged,
    ConfigurationNotFound,
    ConfigurationRemoved,
    ModuleNotFound,
    NoConfigurationFiles,
    SourceNotFetchable,
)
from app.core.errors import Conflict, Invalid, NotFound, PayloadTooLarge


class SpecInvalid(Invalid):
    """A spec is not acceptable; ``errors`` names each field by its path, with the remedy."""

    code = "spec_invalid"
    title = "The stack spec is not valid"


class SpecUnreadable(Invalid):
    """The text is neither YAML nor JSON that a spec may be written in; ``errors`` says where."""

    code = "spec_unreadable"
    title = "The stack spec can't be read"


class SpecTooLarge(PayloadTooLarge):
    """The text of a spec exceeds ``limit_bytes``."""

    code = "spec_too_large"
    title = "The stack spec is too large"


class SpecNameMismatch(Conflict):
    """The spec was pushed to a stack of another name."""

    code = "spec_name_mismatch"
    title = "The spec belongs to another stack"


class StackNotFound(NotFound):
    """There is no such stack in the organization."""

    code = "stack_not_found"
    title = "No such stack"


class SpecVersionNotFound(NotFound):
    """There is no such spec version in the organization."""

    code = "spec_version_not_found"
    title = "No such spec version"


class StackExists(Conflict):
    """Another stack of the organization has this name."""

    code = "stack_exists"
    title = "The stack's name is taken"


class SpecVersionsUnrelated(Invalid):
    """The two versions belong to different stacks, so what changed between them says nothing."""

    code = "spec_versions_unrelated"
    title = "The versions belong to different stacks"


SPEC_REFUSALS = (
    SpecInvalid,
    ModuleNotFound,
    NoConfigurationFiles,
    SourceNotFetchable,
    ArchiveRefused,
    ArchiveTooLarge,
    ConfigurationNotFound,
    ConfigurationRemoved,
    ConfigurationChanged,
)
"""Why a spec that can be read is refused: by itself, or by the configuration that it names."""
