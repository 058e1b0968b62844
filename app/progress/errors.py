"""Errors of progress."""

from app.core.errors import Gone, NotFound


class StreamNotFound(NotFound):
    """No such run in the actor's organization."""

    code = "run_not_found"
    title = "No such run"


class LogRemoved(Gone):
    """The run is so old that its log is not kept any more."""

    code = "log_removed"
    title = "The log is no longer kept"
