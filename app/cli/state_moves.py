"""`sluice state rollback`, `sluice state migrate`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.access import connect
from app.cli.backend_options import Settings, parse_settings
from app.cli.options import AsJson, Quiet, Timeout, Workspace
from app.cli.planning import Key, Manner, Message, Wait, follow
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient


def rollback(
    workspace: Workspace,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="Number or id of an earlier state version (`sluice state list`).", show_default=False
        ),
    ],
    message: Message = "",
    wait: Wait = False,
    idempotency_key: Key = None,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Roll a workspace's state back to an earlier version, as a new version, once that is approved.

    Only what the state says changes; no resource does. The plan shows what the state gains, loses and says otherwise,
    and waits at the gate. It is refused while a run or a person holds the state lock.

    With --wait it waits for the plan: exit 2 when it waits at the gate, 0 when that version says what the current state
    says, 3 when a policy blocks, 1 on an error.

    Examples:
      sluice state rollback --workspace prod --to 12 --wait

      sluice state rollback -w prod --to sv-01k… --message "undo Friday's import"
    """
    from app.client import calls

    with connect() as client:
        version_id = to if to.startswith("sv-") else _numbered(client, workspace, to)
        run = client.send(
            calls.request_rollback(workspace, version_id, message=message, idempotency_key=idempotency_key)
        )
        follow(client, run, Manner(wait, quiet, timeout, as_json))


def migrate(
    workspace: Workspace,
    to: Annotated[
        Literal["managed", "local", "s3", "azurerm", "gcs", "hcp"],
        typer.Option("--to", help="Backend that the state moves to.", show_default=False),
    ],
    setting: Settings = None,
    message: Message = "",
    wait: Wait = False,
    idempotency_key: Key = None,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Move a workspace's state to another backend, once that is approved.

    The plan looks into both backends and is refused a target that holds another state. Applied, it writes the state to
    the target, reads it back and compares; then the workspace changes over. The old state stays where it is. The
    credentials of both backends are sensitive environment variables of the workspace.

    With --wait it waits for the plan: exit 2 when it waits at the gate, 3 when a policy blocks, 1 on an error.

    Examples:
      sluice state migrate --workspace prod --to managed --wait

      sluice state migrate -w prod --to s3 --setting bucket=b --setting key=prod.tfstate --setting region=eu-west-1
    """
    from app.client import calls

    settings = parse_settings(setting) if setting else None
    with connect() as client:
        call = calls.request_migration(workspace, to, settings, message=message, idempotency_key=idempotency_key)
        follow(client, client.send(call), Manner(wait, quiet, timeout, as_json))


def _numbered(client: "SluiceClient", workspace: str, number: str) -> str:
    """Return the id of the workspace's state version of this number."""
    from app.client import calls

    if not number.isdecimal():
        raise LocalProblem(f"{number!r} is neither the number nor the id of a state version.", "usage")
    for item in client.items(lambda cursor: calls.list_state_versions(workspace, limit=calls.MAX_PAGE, cursor=cursor)):
        if item["number"] == int(number):
            return str(item["id"])
    raise LocalProblem(
        f"Workspace {workspace} has no state version {number}. See `sluice state list -w {workspace}`.",
        "state_version_not_found",
    )
