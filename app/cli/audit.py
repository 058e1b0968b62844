"""`sluice audit list|verify`."""

import json
from typing import Annotated

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Limit
from app.cli.program import DONE, FAILED, group, register

commands = group("The audit trail: who did what.")


def list_events(
    action: Annotated[
        str | None, typer.Option("--action", help="Such as run.approved, or a family: run.*", show_default=False)
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Id of what was acted on.", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Id of who acted.", show_default=False)] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List audit events, newest first.

    Example: sluice audit list --action 'run.*' --limit 100
    """
    from app.cli.output import moment, print_json, print_table
    from app.client import calls

    size = min(limit, calls.MAX_PAGE)
    with connect() as client:
        found = list(
            client.items(
                lambda cursor: calls.listing(
                    "/audit", limit=size, cursor=cursor, action=action, target_id=target, actor_id=actor
                ),
                limit=limit,
            )
        )
    if as_json:
        print_json({"items": found})
        return
    rows = (
        (
            moment(item["at"]),
            item["actor"]["name"],
            item["action"],
            item["target"]["id"],
            json.dumps(item["evidence"])[:120] if item["evidence"] else "",
        )
        for item in found
    )
    print_table(("At", "Actor", "Action", "Target", "Evidence"), rows, "No events.")


def verify(as_json: AsJson = False) -> None:
    """Recompute the hash chain; exit 1 when it is broken.

    Example: sluice audit verify
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get("/audit/chain"))
    if as_json:
        print_json(found)
    elif found["is_intact"]:
        typer.echo(f"Intact: {found['checked']} events, head {found['head_hash']}.")
    else:
        typer.echo(f"Broken at {found['broken_at']}.", err=True)
    raise typer.Exit(DONE if found["is_intact"] else FAILED)


register(commands, "list", list_events)
register(commands, "verify", verify)
