"""Calls of notifications: who is told of which events, and what was sent."""

from typing import Any

from pydantic import BaseModel

from app.client.calls import Call, Json, address, given
from app.client.models import Page, page_of


class Destination(BaseModel):
    """A destination. ``secret`` is there in the answer that made it, and never again."""

    id: str
    name: str
    url: str
    format: str
    events: list[str]
    workspaces: list[str] | None = None
    tag: str | None = None
    is_enabled: bool
    disabled_reason: str | None = None
    failing_since: str | None = None
    succeeded_at: str | None = None
    secret: str | None = None


class Delivery(BaseModel):
    """One event for one destination, and what came of it."""

    id: str
    destination_id: str
    event: str
    payload: dict[str, Any]
    status: str
    attempts: int
    created_at: str
    next_attempt_at: str | None = None
    attempted_at: str | None = None
    http_status: int | None = None
    response: str | None = None
    error: str | None = None
    duration_ms: int | None = None
    ended_at: str | None = None


_PATH = "/terraform/notifications"


def create_notification(
    name: str,
    url: str,
    events: list[str],
    *,
    format: str = "sluice",  # noqa: A002 - the API's word
    workspaces: list[str] | None = None,
    tag: str | None = None,
) -> Call[Destination]:
    """Create a destination of format ``sluice`` or ``slack``, of all workspaces unless narrowed."""
    body: Json = {"name": name, "url": url, "events": events, "format": format, "workspaces": workspaces, "tag": tag}
    return Call("POST", _PATH, Destination.model_validate, json=body)


def list_notifications(*, limit: int = 50, cursor: str | None = None) -> Call[Page[Destination]]:
    """Read one page of destinations, newest first."""
    return Call("GET", _PATH, page_of(Destination.model_validate), params=given(limit=limit, cursor=cursor))


def get_notification(notification: str) -> Call[Destination]:
    """Read a destination, by id or name."""
    return Call("GET", _of(notification), Destination.model_validate)


def change_notification(notification: str, **changes: Any) -> Call[Destination]:
    """Change what is named: any of the fields of a destination, ``is_enabled`` and ``new_secret`` among them."""
    is_repeatable = not changes.get("new_secret")
    return Call("PATCH", _of(notification), Destination.model_validate, json=changes, is_repeatable=is_repeatable)


def remove_notification(notification: str) -> Call[Any]:
    """Remove a destination and its deliveries."""
    return Call("DELETE", _of(notification), lambda answer: answer)


def try_notification(notification: str) -> Call[Delivery]:
    """Send a test; the answer is the delivery, before it was sent."""
    return Call("POST", _of(notification, "test"), Delivery.model_validate, json={})


def list_deliveries(notification: str, *, limit: int = 50, cursor: str | None = None) -> Call[Page[Delivery]]:
    """Read one page of a destination's deliveries, newest first."""
    path = _of(notification, "deliveries")
    return Call("GET", path, page_of(Delivery.model_validate), params=given(limit=limit, cursor=cursor))


def get_delivery(delivery_id: str) -> Call[Delivery]:
    """Read a delivery."""
    return Call("GET", address("terraform", "notification-deliveries", delivery_id), Delivery.model_validate)


def redeliver(delivery_id: str) -> Call[Delivery]:
    """Send a delivery again, under its id."""
    return Call(
        "POST",
        address("terraform", "notification-deliveries", delivery_id, "redeliver"),
        Delivery.model_validate,
        json={},
    )


def _of(notification: str, *parts: str) -> str:
    return address("terraform", "notifications", notification, *parts)
