"""`sluice notification create|list|set|remove|test|deliveries|redeliver`: who is told of which events."""

from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Limit
from app.cli.polling import wait_until
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group(
    "Notifications: signed webhooks, and Slack, when a run waits, is blocked, applied, or fails, and at a halt."
)
Notification = Annotated[
    str, typer.Argument(metavar="NOTIFICATION", help="Name or id of the notification.", show_default=False)
]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="waiting, blocked, applied, errored or halted; repeatable.", show_default=False),
]
Workspaces = Annotated[
    list[str] | None,
    typer.Option("--workspace", "-w", help="Only of this workspace; repeatable.", show_default=False),
]
Tag = Annotated[str | None, typer.Option("--tag", help="Only of workspaces with this tag.", show_default=False)]
Style = Annotated[str | None, typer.Option("--format", help="sluice (signed JSON) or slack.", show_default=False)]
ALL_EVENTS = ["waiting", "blocked", "applied", "errored", "halted"]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for people.", show_default=False)],
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to send to, https://…", show_default=False)],
    events: Events = None,
    style: Style = None,
    workspaces: Workspaces = None,
    tag: Tag = None,
    as_json: AsJson = False,
) -> None:
    """Create a notification, of all events unless some are named. Its secret is printed once, here.

    Example: sluice notification create on-call https://hooks.example.org/sluice --event waiting --event errored
    """
    from app.cli.output import print_json, say
    from app.client.notification_calls import create_notification

    call = create_notification(
        name, url, events or ALL_EVENTS, format=style or "sluice", workspaces=workspaces or None, tag=tag
    )
    with connect() as client:
        made = client.send(call)
    if as_json:
        print_json(made.model_dump())
        return
    say(f"Made {made.name} ({made.id}). What it sends is signed with this secret, which is shown once:")
    typer.echo(made.secret)


def list_notifications(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the notifications, newest first.

    Example: sluice notification list
    """
    from app.cli.output import print_json, print_table
    from app.client import calls
    from app.client.notification_calls import list_notifications as page

    size = min(limit, calls.MAX_PAGE)
    with connect() as client:
        found = list(client.items(lambda cursor: page(limit=size, cursor=cursor), limit=limit))
    if as_json:
        print_json({"items": [one.model_dump() for one in found]})
        return
    rows = (
        (
            one.name,
            one.url,
            one.format,
            " ".join(one.events),
            f"tag {one.tag}" if one.tag else " ".join(one.workspaces or ["all"]),
            "on" if one.is_enabled else f"off {one.disabled_reason or ''}".strip(),
        )
        for one in found
    )
    print_table(("Name", "To", "Format", "Events", "Workspaces", "State"), rows, "No notifications.")


def change(
    notification: Notification,
    name: Annotated[str | None, typer.Option("--name", help="Another name.", show_default=False)] = None,
    url: Annotated[str | None, typer.Option("--url", help="Another address.", show_default=False)] = None,
    events: Events = None,
    style: Style = None,
    workspaces: Workspaces = None,
    tag: Tag = None,
    everywhere: Annotated[bool, typer.Option("--all-workspaces", help="Of every workspace again.")] = False,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it sends.", show_default=False)
    ] = None,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Make a new secret, printed once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change a notification: what is named, and nothing else.

    Example: sluice notification set on-call --enable --event waiting
    """
    from app.cli.output import print_json, say
    from app.client.notification_calls import change_notification

    given: dict[str, Any] = {"name": name, "url": url, "events": events or None, "format": style, "is_enabled": enabled}
    changes = {key: value for key, value in given.items() if value is not None}
    if workspaces or tag or everywhere:
        changes |= {"workspaces": workspaces or None, "tag": tag}
    if new_secret:
        changes["new_secret"] = True
    if not changes:
        raise LocalProblem("Nothing to change was named. `sluice notification set --help` lists what can be.", "usage")
    with connect() as client:
        changed = client.send(change_notification(notification, **changes))
    if as_json:
        print_json(changed.model_dump())
        return
    say(f"Changed {changed.name} ({changed.id}).")
    if changed.secret is not None:
        typer.echo(changed.secret)


def remove(notification: Notification, as_json: AsJson = False) -> None:
    """Remove a notification and what it has sent.

    Example: sluice notification remove on-call
    """
    from app.cli.output import print_json, say
    from app.client.notification_calls import remove_notification

    with connect() as client:
        client.send(remove_notification(notification))
    if as_json:
        print_json({"id": notification})
    else:
        say(f"Removed {notification}.")


def send_test(notification: Notification, as_json: AsJson = False) -> None:
    """Send a test, and say what came of it.

    Example: sluice notification test on-call
    """
    from app.client.notification_calls import get_delivery, try_notification

    with connect() as client:
        told = client.send(try_notification(notification))
        told = wait_until(
            client,
            told,
            get_delivery(told.id),
            lambda delivery: delivery.status != "pending" or delivery.error is not None,
            every_seconds=0.2,
            for_seconds=15,
        )
    _show(told, as_json=as_json)


def deliveries(notification: Notification, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List what a notification has sent in the last 30 days, newest first.

    Example: sluice notification deliveries on-call
    """
    from app.cli.output import moment, print_json, print_table
    from app.client import calls
    from app.client.notification_calls import list_deliveries

    size = min(limit, calls.MAX_PAGE)
    with connect() as client:
        found = list(client.items(lambda cursor: list_deliveries(notification, limit=size, cursor=cursor), limit=limit))
    if as_json:
        print_json({"items": [one.model_dump() for one in found]})
        return
    rows = (
        (
            one.id,
            moment(one.created_at),
            one.event,
            one.status,
            str(one.attempts),
            one.error or str(one.http_status or ""),
        )
        for one in found
    )
    print_table(("Delivery", "At", "Event", "Status", "Attempts", "Answer"), rows, "Nothing was sent yet.")


def redeliver(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the delivery, nv-….", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Send a delivery again, under its id.

    Example: sluice notification redeliver nv-01k…
    """
    from app.client.notification_calls import redeliver as call

    with connect() as client:
        told = client.send(call(delivery))
    _show(told, as_json=as_json)


def _show(told: Any, *, as_json: bool) -> None:
    from app.cli.output import clean, print_json

    if as_json:
        print_json(told.model_dump())
        return
    answer = told.error or (f"answered {told.http_status} in {told.duration_ms} ms" if told.http_status else "")
    typer.echo(clean(f"{told.id} {told.status} {answer}".strip()))


register(commands, "create", create)
register(commands, "list", list_notifications)
register(commands, "set", change)
register(commands, "remove", remove)
register(commands, "test", send_test)
register(commands, "deliveries", deliveries)
register(commands, "redeliver", redeliver)
