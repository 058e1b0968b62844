"""`sluice state diff|lock|unlock|force-unlock`."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Workspace
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient
    from app.client.calls import Call

Reason = Annotated[str, typer.Option("--reason", help="Why; everybody sees it.", show_default=False)]
_SIGNS = {"add": "+", "remove": "-", "change": "~"}


def diff(
    before: Annotated[str, typer.Argument(help="Id of the earlier state version.", show_default=False)],
    after: Annotated[str, typer.Argument(help="Id of the later state version.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show what differs between two state versions, by resource and attribute. Sensitive values stay hidden.

    Example: sluice state diff sv-01k… sv-01m…
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        found = whole_diff(client, lambda cursor: calls.state_diff(before, after, cursor=cursor))
    if as_json:
        print_json(found)
    else:
        print_diff(found)


def whole_diff(client: "SluiceClient", page: "Callable[[str | None], Call[Any]]") -> dict[str, Any]:
    """Return a difference with every one of its resources; ``page`` gives the call for a cursor."""
    found: dict[str, Any] = client.send(page(None))
    cursor = found["next_cursor"]
    while cursor is not None:
        following = client.send(page(cursor))
        found["items"].extend(following["items"])
        cursor = following["next_cursor"]
    return {**found, "next_cursor": None}


def print_diff(found: dict[str, Any]) -> None:
    """Print a difference by resource and attribute."""
    from app.cli.output import clean

    for item in found["items"]:
        typer.echo(clean(f"{_SIGNS[item['op']]} {item['address']}"))
        for change in item["attributes"]:
            typer.echo(clean(f"    {_SIGNS[change['op']]} {change['path']}: {_values(change)}"))
    for change in found["outputs"]:
        typer.echo(clean(f"{_SIGNS[change['op']]} output {change['name']}: {_values(change)}"))
    typer.echo(f"{found['added']} added, {found['changed']} changed, {found['removed']} removed.")


def write_private(file: Path, data: bytes) -> None:
    """Write what may hold secrets, readable by its owner alone. Raises ``LocalProblem``."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
    except OSError as error:
        raise LocalProblem(f"{file} can't be written: {error.strerror}.", "file_unwritable") from None


def _values(change: dict[str, Any]) -> str:
    if change["sensitive"]:
        return "(sensitive)"
    before, after = (json.dumps(change[side], ensure_ascii=False) for side in ("before", "after"))
    return {"add": after, "remove": before}.get(change["op"], f"{before} -> {after}")


def lock(workspace: Workspace, reason: Reason, as_json: AsJson = False) -> None:
    """Lock a state by hand: no run of the workspace starts until it is unlocked.

    Example: sluice state lock -w prod --reason "moving the VPC"
    """
    from app.cli.output import print_json, say
    from app.client import calls

    with connect() as client:
        held = client.send(calls.lock_state(workspace, reason))
    if as_json:
        print_json(held)
    else:
        say(f"The state of {workspace} is locked. Release it with `sluice state unlock -w {workspace}`.")


def unlock(workspace: Workspace, as_json: AsJson = False) -> None:
    """Release your own lock; runs that wait may start.

    Example: sluice state unlock -w prod
    """
    from app.client import calls

    with connect() as client:
        client.send(calls.unlock_state(workspace))
    _released(workspace, as_json=as_json)


def force_unlock(workspace: Workspace, reason: Reason, as_json: AsJson = False) -> None:
    """Take away another's lock, or a dead run's. Audited. A living run's is refused: cancel the run.

    Example: sluice state force-unlock -w prod --reason "on holiday"
    """
    from app.client import calls

    with connect() as client:
        client.send(calls.force_unlock_state(workspace, reason))
    _released(workspace, as_json=as_json)


def _released(workspace: str, *, as_json: bool) -> None:
    from app.cli.output import print_json, say

    if as_json:
        print_json({"workspace": workspace, "lock": None})
    else:
        say(f"The state of {workspace} is no longer locked.")
