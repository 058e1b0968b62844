"""Destinations, and what is told to them.

A delivery is written in the transaction of what it tells, and sent after it has committed. Of a halt each destination
hears once, however many runs it stopped; of a run, when it has come to a status that somebody waits for.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.crypto import key_ring
from app.core.ids import new_id
from app.core.jobs import enqueue
from app.core.outgoing import check_url
from app.core.outgoing_addresses import Allowed
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.notifications import messages, repository
from app.notifications.errors import NotificationNameTaken, NotificationNotFound
from app.notifications.models import NotificationDelivery, NotificationDestination
from app.notifications.schemas import (
    DeliveryOut,
    DestinationChange,
    DestinationIn,
    DestinationOut,
    HaltNews,
    RunNews,
)
from app.notifications.sealed import secret_binding, url_binding
from app.workspaces import service as workspaces

DELIVER_TASK = "notifications.deliver"
MOST_WAITING = 10_000
"""Of one destination; what comes beyond is not kept, so that one that is dead for a day fills no disk."""
_EVENT_OF_STATUS = {
    "awaiting_approval": "waiting",
    "policy_blocked": "blocked",
    "applied": "applied",
    "errored": "errored",
}


def create(session: Session, actor: Actor, wanted: DestinationIn) -> DestinationOut:
    """Make a destination; the answer alone has its secret.

    Raises ``OutgoingRefused`` for an address that may not be sent to, ``NotificationNameTaken`` and
    ``WorkspaceNotFound``.
    """
    check_url(wanted.url, allowed())
    _require_free(session, actor.organization_id, wanted.name)
    destination_id, secret = new_id("nd"), messages.new_secret()
    row = NotificationDestination(
        id=destination_id,
        organization_id=actor.organization_id,
        name=wanted.name,
        format=wanted.format,
        events=sorted(set(wanted.events)),
        workspace_ids=_ids(session, actor, wanted.workspaces),
        tag=wanted.tag,
        is_enabled=wanted.is_enabled,
        created_by=actor.describe(),
    )
    _seal_url(row, wanted.url)
    _seal_secret(row, secret)
    repository.add(session, row)
    audit.record(session, actor, "notification.created", ("notification", row.id), _evidence(row))
    return _present(row, secret)


def change(session: Session, actor: Actor, destination_id: str, wanted: DestinationChange) -> DestinationOut:
    """Change a destination. Raises what ``create`` raises, and ``NotificationNotFound``."""
    row = _get(session, actor, destination_id, for_update=True)
    given = wanted.model_fields_set
    if wanted.name is not None and wanted.name != row.name:
        _require_free(session, actor.organization_id, wanted.name, besides=row.id)
        row.name = wanted.name
    if wanted.url is not None:
        check_url(wanted.url, allowed())
        _seal_url(row, wanted.url)
    row.format = wanted.format or row.format
    row.events = sorted(set(wanted.events)) if wanted.events is not None else row.events
    if given & {"workspaces", "tag"}:
        row.workspace_ids, row.tag = _ids(session, actor, wanted.workspaces), wanted.tag
    if wanted.is_enabled is not None:
        row.is_enabled = wanted.is_enabled
        row.disabled_reason = row.failing_since = None
        if not wanted.is_enabled:
            repository.drop_pending(session, row.id, clock.now(), "The destination was disabled.")
    secret = messages.new_secret() if wanted.new_secret else None
    if secret is not None:
        _seal_secret(row, secret)
    session.flush()
    evidence = {**_evidence(row), "changed": sorted(given)}
    audit.record(session, actor, "notification.changed", ("notification", row.id), evidence)
    return _present(row, secret)


def remove(session: Session, actor: Actor, destination_id: str) -> None:
    """Remove a destination with its deliveries. Raises ``NotificationNotFound``."""
    row = _get(session, actor, destination_id, for_update=True)
    audit.record(session, actor, "notification.removed", ("notification", row.id), _evidence(row))
    session.delete(row)
    session.flush()


def listed(session: Session, actor: Actor, params: PageParams) -> Page[DestinationOut]:
    """Return a page of the organization's destinations, newest first."""
    rows, cursor = repository.destination_page(session, actor.organization_id, params)
    return Page(items=[_present(row) for row in rows], next_cursor=cursor)


def get(session: Session, actor: Actor, destination_id: str) -> DestinationOut:
    """Return a destination, by id or name. Raises ``NotificationNotFound``."""
    return _present(_get(session, actor, destination_id))


def try_out(session: Session, actor: Actor, destination_id: str) -> DeliveryOut:
    """Send a test to a destination, a disabled one too; return its delivery. Raises ``NotificationNotFound``."""
    row = _get(session, actor, destination_id)
    payload = messages.trial_payload(row.organization_id, actor.name, clock.now().isoformat())
    delivery_id = _tell(session, row, "test", payload)
    audit.record(session, actor, "notification.tested", ("notification", row.id), {"delivery_id": delivery_id})
    return delivery(session, actor, delivery_id or "")


def deliveries(session: Session, actor: Actor, destination_id: str, params: PageParams) -> Page[DeliveryOut]:
    """Return a page of a destination's deliveries, newest first. Raises ``NotificationNotFound``."""
    row = _get(session, actor, destination_id)
    rows, cursor = repository.delivery_page(session, row.id, params)
    return Page(items=[_delivery_out(found) for found in rows], next_cursor=cursor)


def delivery(session: Session, actor: Actor, delivery_id: str) -> DeliveryOut:
    """Return a delivery. Raises ``NotificationNotFound``."""
    return _delivery_out(_get_delivery(session, actor, delivery_id))


def redeliver(session: Session, actor: Actor, delivery_id: str) -> DeliveryOut:
    """Send a delivery again from its first attempt on, under the same id. Raises ``NotificationNotFound``.

    One that is being sent goes on.
    """
    row = _get_delivery(session, actor, delivery_id, for_update=True)
    if row.status != "pending" or row.claimed_until is None:
        row.status, row.ended_at, row.error = "pending", None, None
        row.attempts, row.next_attempt_at, row.claimed_until = 0, clock.now(), None
    session.flush()
    enqueue(session, DELIVER_TASK, row.id)
    evidence = {"delivery_id": row.id, "event": row.event}
    audit.record(session, actor, "notification.redelivered", ("notification", row.destination_id), evidence)
    return _delivery_out(row)


def run_moved(session: Session, news: RunNews) -> None:
    """Tell of a run that has come to another status, where somebody wants to hear of it."""
    event = _EVENT_OF_STATUS.get(news.status)
    if event is None:
        return
    listening = repository.listening(session, news.organization_id, event)
    if not listening:
        return
    workspace = workspaces.get_many(session, [news.workspace_id]).get(news.workspace_id)
    name, tags = (workspace.name, workspace.tags) if workspace is not None else (news.workspace_id, [])
    payload = messages.run_payload(event, news, name, clock.now().isoformat())
    for row in listening:
        if _hears_of(row, news.workspace_id, tags):
            _tell(session, row, event, payload)


def halted(session: Session, news: HaltNews) -> None:
    """Tell of a halt: each destination once, also when the halt is raised again."""
    listening = repository.listening(session, news.organization_id, "halted")
    if not listening:
        return
    workspace = None
    if news.workspace_id is not None:
        workspace = workspaces.get_many(session, [news.workspace_id]).get(news.workspace_id)
    tags = workspace.tags if workspace is not None else []
    for row in listening:
        if news.workspace_id is None or _hears_of(row, news.workspace_id, tags):
            name = workspace.name if workspace is not None else None
            payload = messages.halt_payload(news, row.organization_id, name, clock.now().isoformat())
            _tell(session, row, "halted", payload, once=news.halt_id)


def allowed() -> Allowed:
    """Return what may be sent to beyond the public internet."""
    return Allowed.parse(get_settings().outgoing_allowed)


def _tell(
    session: Session, row: NotificationDestination, event: str, payload: dict[str, object], *, once: str | None = None
) -> str | None:
    """Write a delivery and send its job after commit; return its id, or None when it was told before."""
    if repository.pending_count(session, row.id) >= MOST_WAITING:
        return None
    delivery_id = new_id("nv")
    now = clock.now()
    values = {
        "id": delivery_id,
        "organization_id": row.organization_id,
        "destination_id": row.id,
        "event": event,
        "once": once,
        "payload": payload,
        "status": "pending",
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
    }
    if not repository.add_delivery(session, values):
        return None
    enqueue(session, DELIVER_TASK, delivery_id)
    return delivery_id


def _hears_of(row: NotificationDestination, workspace_id: str, tags: Sequence[str]) -> bool:
    if row.workspace_ids is not None:
        return workspace_id in row.workspace_ids
    return row.tag is None or row.tag in tags


def _ids(session: Session, actor: Actor, named: list[str] | None) -> list[str] | None:
    if named is None:
        return None
    return sorted({workspaces.get(session, actor.organization_id, name).id for name in named})


def _require_free(session: Session, organization_id: str, name: str, besides: str | None = None) -> None:
    if repository.is_name_taken(session, organization_id, name, besides):
        raise NotificationNameTaken(
            f"There is a notification {name!r} already. Choose another name, or change that one.",
            errors=[{"field": "name", "message": "is taken"}],
        )


def _seal_url(row: NotificationDestination, url: str) -> None:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    row.shown_url = f"{parts.scheme}://{parts.hostname}{port}/…"
    row.sealed_url = key_ring().seal(url.encode(), url_binding(row.organization_id, row.id))


def _seal_secret(row: NotificationDestination, secret: str) -> None:
    row.sealed_secret = key_ring().seal(secret.encode(), secret_binding(row.organization_id, row.id))


def _get(session: Session, actor: Actor, destination_id: str, *, for_update: bool = False) -> NotificationDestination:
    row = repository.destination(session, actor.organization_id, destination_id, for_update=for_update)
    if row is None:
        raise NotificationNotFound(f"There is no notification {destination_id!r}. `sluice notification list` has all.")
    return row


def _get_delivery(
    session: Session, actor: Actor, delivery_id: str, *, for_update: bool = False
) -> NotificationDelivery:
    row = repository.delivery(session, actor.organization_id, delivery_id, for_update=for_update)
    if row is None:
        raise NotificationNotFound(f"There is no delivery {delivery_id!r}; those older than 30 days are removed.")
    return row


def _evidence(row: NotificationDestination) -> dict[str, object]:
    told = {"name": row.name, "url": row.shown_url, "format": row.format, "events": row.events}
    return {**told, "workspaces": row.workspace_ids, "tag": row.tag, "is_enabled": row.is_enabled}


def _present(row: NotificationDestination, secret: str | None = None) -> DestinationOut:
    return DestinationOut.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "url": row.shown_url,
            "format": row.format,
            "events": row.events,
            "workspaces": row.workspace_ids,
            "tag": row.tag,
            "is_enabled": row.is_enabled,
            "disabled_reason": row.disabled_reason,
            "failing_since": row.failing_since,
            "succeeded_at": row.succeeded_at,
            "created_at": row.created_at,
            "created_by": row.created_by,
            "secret": secret,
        }
    )


def _delivery_out(row: NotificationDelivery) -> DeliveryOut:
    found = DeliveryOut.model_validate(row)
    return found if row.status == "pending" else found.model_copy(update={"next_attempt_at": None})
