"""Errors of notifications."""

from app.core.errors import Conflict, NotFound


class NotificationNotFound(NotFound):
    """There is no such destination or delivery in this organization."""

    code = "notification_not_found"
    title = "No such notification"


class NotificationNameTaken(Conflict):
    """Another destination of the organization has the name."""

    code = "notification_name_taken"
    title = "The name is taken"
