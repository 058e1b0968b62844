"""`sluice state rollback`."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.access import connect
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
