"""`sluice token create|list|revoke`."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.durations import seconds_of
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit
from app.cli.program import group, register
from app.core import clock

commands = group("Tokens for the command line, CI and programs.")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)],
    service_account: Annotated[
        str | None,
        typer.Option("--service-account", help="Name or id; without it the token is your own.", show_default=False),
    ] = None,
    permissions: Annotated[
        list[str] | None,
        typer.Option(
            "--permission", help="Narrow it to these, such as runs:plan; may be repeated.", show_default=False
        ),
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", help="Such as 12h, 90d; default: until revoked.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it, this once, alone on standard output.

    Examples:
      sluice token create ci --service-account ci --expires-in 90d

      export SLUICE_TOKEN=$(sluice token create laptop)
    """
    from app.cli.output import print_json, say
    from app.client import calls

    body: dict[str, Any] = {"name": name}
    if service_account is not None:
        body["service_account"] = service_account
    if permissions:
        body["permissions"] = permissions
    if expires_in is not None:
        body["expires_at"] = _moment(expires_in)
    with connect() as client:
        made = client.send(calls.post("/tokens", body))
    if as_json:
        print_json(made)
    else:
        say(f"Token {made['id']} of {made['owner']['name']}. It is shown this once; keep it safe.")
        typer.echo(made["token"])


def _moment(text: str) -> str:
    return (clock.now() + timedelta(seconds=seconds_of(text, "--expires-in"))).isoformat()


def list_tokens(limit: Limit = 200, as_json: AsJson = False) -> None:
    """List your tokens; for an admin, the organization's.

    Example: sluice token list
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/tokens", limit=size, cursor=cursor),
        lambda t: (
            t["id"],
            t["name"],
            t["owner"]["name"],
            t["permissions"] or "its owner's",
            moment(t["last_used_at"]),
            moment(t["expires_at"]),
        ),
        columns=("ID", "Name", "Owner", "Permissions", "Last used", "Expires"),
        empty="No tokens.",
        limit=limit,
        as_json=as_json,
    )


def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="Id of the token.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Revoke a token; it stops working at once.

    Example: sluice token revoke tok-01k…
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        client.send(calls.delete(f"/tokens/{token}"))
    if as_json:
        print_json({"revoked": {"id": token}})
    else:
        typer.echo(f"Revoked {token}.")


register(commands, "create", create)
register(commands, "list", list_tokens)
register(commands, "revoke", revoke)
