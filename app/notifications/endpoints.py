"""Edge of notifications."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.outgoing import OutgoingRefused
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.notifications import service
from app.notifications.errors import NotificationNameTaken, NotificationNotFound
from app.notifications.schemas import DeliveryOut, DestinationChange, DestinationIn, DestinationOut
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["notifications"])

Manager = Annotated[Actor, requires(Permission.NOTIFICATIONS_MANAGE)]

READ = error_responses(NotificationNotFound)
_SETTINGS = (WorkspaceNotFound, NotificationNameTaken, OutgoingRefused)


@router.get("/notifications", operation_id="list_notifications")
def list_notifications(actor: Manager, session: SessionDep, params: PageDep) -> Page[DestinationOut]:
    """List the destinations that are told of events, newest first."""
    return service.listed(session, actor, params)


@router.post(
    "/notifications", operation_id="create_notification", status_code=201, responses=error_responses(*_SETTINGS)
)
def create_notification(body: DestinationIn, actor: Manager, session: SessionDep) -> DestinationOut:
    """Create a destination. The answer has the secret that its deliveries are signed with; nothing shows it again."""
    return service.create(session, actor, body)


@router.get("/notifications/{notification}", operation_id="get_notification", responses=READ)
def get_notification(notification: str, actor: Manager, session: SessionDep) -> DestinationOut:
    """Return a destination, by id or name."""
    return service.get(session, actor, notification)


@router.patch(
    "/notifications/{notification}",
    operation_id="change_notification",
    responses=error_responses(NotificationNotFound, *_SETTINGS),
)
def change_notification(
    notification: str, body: DestinationChange, actor: Manager, session: SessionDep
) -> DestinationOut:
    """Change a destination, enable or disable it, or give it a new secret, which this answer alone shows."""
    return service.change(session, actor, notification, body)


@router.delete("/notifications/{notification}", operation_id="remove_notification", status_code=204, responses=READ)
def remove_notification(notification: str, actor: Manager, session: SessionDep) -> None:
    """Remove a destination and its deliveries."""
    service.remove(session, actor, notification)


@router.post("/notifications/{notification}/test", operation_id="test_notification", status_code=202, responses=READ)
def test_notification(notification: str, actor: Manager, session: SessionDep) -> DeliveryOut:
    """Send a test, to a disabled destination too. The answer is the delivery, before it was sent."""
    return service.try_out(session, actor, notification)


@router.get("/notifications/{notification}/deliveries", operation_id="list_notification_deliveries", responses=READ)
def list_notification_deliveries(
    notification: str, actor: Manager, session: SessionDep, params: PageDep
) -> Page[DeliveryOut]:
    """List a destination's deliveries of the last 30 days, newest first."""
    return service.deliveries(session, actor, notification, params)


@router.get("/notification-deliveries/{delivery_id}", operation_id="get_notification_delivery", responses=READ)
def get_notification_delivery(delivery_id: str, actor: Manager, session: SessionDep) -> DeliveryOut:
    """Return a delivery."""
    return service.delivery(session, actor, delivery_id)


@router.post(
    "/notification-deliveries/{delivery_id}/redeliver",
    operation_id="redeliver_notification",
    status_code=202,
    responses=READ,
)
def redeliver_notification(delivery_id: str, actor: Manager, session: SessionDep) -> DeliveryOut:
    """Send a delivery again, under the same `webhook-id`."""
    return service.redeliver(session, actor, delivery_id)
