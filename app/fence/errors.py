"""Errors of the fence."""

from app.core.errors import AppError


class Halted(AppError):
    """A halt stands over what was asked for; ``halt`` says its scope, who raised it, when and why."""

    status = 409
    code = "halted"
    title = "A halt stands"


class FenceMissing(AppError):
    """A fence row is not there: nothing may start where nothing could be stopped."""

    code = "fence_missing"
    title = "A fence is missing"
