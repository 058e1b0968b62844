"""Errors of progress."""

from app.core.errors import NotFound


class StreamNotFound(NotFound):
    """No such run in the actor's organization."""

    code = "run_not_found"
    title = "No such run"
