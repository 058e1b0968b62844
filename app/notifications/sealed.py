"""Where notifications keep envelopes."""

from sqlalchemy.orm import Session

from app.core.crypto import Binding
from app.core.resealing import SealedColumn
from app.notifications.models import NotificationDestination


def url_binding(organization_id: str, destination_id: str) -> Binding:
    """Return what a destination's address is bound to."""
    return Binding(organization_id, "notification_url", destination_id)


def secret_binding(organization_id: str, destination_id: str) -> Binding:
    """Return what a destination's signing secret is bound to."""
    return Binding(organization_id, "notification_secret", destination_id)


def _url(_: Session, row: NotificationDestination) -> Binding:
    return url_binding(row.organization_id, row.id)


def _secret(_: Session, row: NotificationDestination) -> Binding:
    return secret_binding(row.organization_id, row.id)


SEALED = (
    SealedColumn(NotificationDestination, NotificationDestination.sealed_url, _url),
    SealedColumn(NotificationDestination, NotificationDestination.sealed_secret, _secret),
)
