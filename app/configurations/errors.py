"""What can be wrong with a configuration."""

from app.core.errors import AppError, Conflict, Gone, Invalid, NotFound, PayloadTooLarge


class ConfigurationNotFound(NotFound):
    """There is no such configuration in the organization."""

    code = "configuration_not_found"
    title = "No such configuration"


class ArchiveRefused(Invalid):
    """The archive holds something that a configuration may not; ``entry`` names it where there is one."""

    code = "archive_refused"
    title = "The archive is refused"


class ArchiveTooLarge(PayloadTooLarge):
    """The archive, or what it unpacks to, exceeds a limit; ``limit_bytes`` or ``limit_entries`` says which."""

    code = "archive_too_large"
    title = "The archive is too large"


class NoConfigurationFiles(Invalid):
    """The directory that should be the root module has no .tf, .tofu or .tf.json file."""

    code = "no_configuration_files"
    title = "There is no configuration there"


class ModuleNotFound(Invalid):
    """The operator's modules have no such directory, or the path leads out of them."""

    code = "module_not_found"
    title = "There is no such module"


class SourceNotFetchable(Invalid):
    """The module source is well-formed, and this installation does not fetch sources of its kind."""

    code = "source_not_fetchable"
    title = "This module source can't be fetched"


class GitSourceRefused(Invalid):
    """The address of a git source is not one, is not allowed here, or what lies there can't be taken."""

    code = "git_source_refused"
    title = "This git source can't be used"


class GitFetchFailed(AppError):
    """Git could not fetch the source: no such host, repository, ref or path, no answer in time, or too much of one."""

    status = 502
    code = "git_fetch_failed"
    title = "The git source could not be fetched"


class ConfigurationChanged(Conflict):
    """The operator's module is no longer what the spec is pinned to, and the pinned content was never stored."""

    code = "configuration_changed"
    title = "The module is not what the spec is pinned to"


class ConfigurationRemoved(Gone):
    """The upload is so old, and needed by nothing, that its files are not kept any more."""

    code = "configuration_removed"
    title = "The configuration is no longer kept"
