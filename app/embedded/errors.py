"""What can keep Sluice from starting on one machine. Every message says what to do about it."""

from app.core.errors import AppError


class StartError(AppError):
    """Sluice could not be started; nothing of it runs any more."""

    code = "start_failed"
    title = "Sluice could not be started"


class HomeUnusable(StartError):
    """The data directory can't be made, written or kept to its owner."""

    code = "home_unusable"
    title = "The data directory can't be used"


class AlreadyRunning(StartError):
    """Another Sluice holds the same data; ``pid`` is its process, when it is known."""

    code = "already_running"
    title = "Sluice runs already on this data"


class PortInUse(StartError):
    """Another program listens where the API should; ``port`` says where."""

    code = "port_in_use"
    title = "The port is taken"


class KeyMismatch(StartError):
    """The data was sealed with a master key that is not here."""

    code = "master_key_mismatch"
    title = "The master key does not open this data"


class SchemaMismatch(StartError):
    """The database's schema is not one that this version can use."""

    code = "schema_mismatch"
    title = "The database has another schema"


class InvalidSettings(StartError):
    """A ``SLUICE_`` variable has a value that it can't have."""

    code = "invalid_settings"
    title = "The settings are not valid"


class ServerFailed(StartError):
    """PostgreSQL, Redis or a part of Sluice did not start or did not become ready; ``log`` names its log."""

    code = "server_failed"
    title = "A part of Sluice did not start"
