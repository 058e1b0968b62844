"""`sluice login`, `whoami`, `version`."""

import sys
from typing import Annotated

import typer

from app.cli.access import connect, find_access, store
from app.cli.options import AsJson
from app.client.errors import ApiError, ClientError, LocalProblem


def login(
    url: Annotated[
        str | None, typer.Option("--url", help="Address of Sluice; default: SLUICE_URL.", show_default=False)
    ] = None,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a token and keep it, with the address, in ~/.config/sluice/credentials.json (0600).

    Takes the token from the prompt, from standard input with --token-stdin, or from SLUICE_TOKEN. SLUICE_URL and
    SLUICE_TOKEN win over what is kept.

    Examples:
      sluice login --url https://sluice.example.org

      sluice login --url http://127.0.0.1:8080 --token-stdin < ~/.local/share/sluice/admin.token
    """
    from app.cli.output import print_json
    from app.client import SluiceClient, calls
    from app.client.wire import check_token, check_url

    address = check_url(url or find_access().url)
    token = check_token(_token(from_stdin=token_stdin))
    if token is None:
        raise LocalProblem("No token was given. Paste it, or send it with --token-stdin.", "token_missing")
    with SluiceClient(address, token) as client:
        try:
            me = client.send(calls.me())
        except ApiError as error:
            if error.status == 401:
                raise LocalProblem(
                    f"{address} does not know this token: it is mistyped, expired or revoked. Nothing was kept.",
                    "token_refused",
                ) from None
            raise
    file = store(address, token)
    if as_json:
        print_json({"url": address, "file": str(file), "user": me})
    else:
        typer.echo(f"Signed in to {address} as {me['name']} ({me['organization']['name']}). Kept in {file}.")


def _token(*, from_stdin: bool) -> str:
    import os

    if from_stdin:
        return sys.stdin.readline()
    if os.environ.get("SLUICE_TOKEN"):
        return os.environ["SLUICE_TOKEN"]
    if not sys.stdin.isatty():
        raise LocalProblem("There is no terminal to ask on: send the token with --token-stdin.", "usage")
    return str(typer.prompt("Token", hide_input=True, err=True))


def whoami(as_json: AsJson = False) -> None:
    """Show who the token in use is, and what it may do.

    Example: sluice whoami
    """
    from app.cli.output import print_fields, print_json
    from app.client import calls

    with connect() as client:
        me = client.send(calls.me())
        if as_json:
            print_json({**me, "url": client.url})
            return
        print_fields(
            [
                ("name", me["name"]),
                ("kind", me["kind"].replace("_", " ")),
                ("organization", me["organization"]["name"]),
                ("roles", me["roles"]),
                ("teams", [team["name"] for team in me["teams"]]),
                ("permissions", me["permissions"]),
                ("server", client.url),
                ("token from", find_access().source),
            ]
        )


def version(as_json: AsJson = False) -> None:
    """Show the version of this command, and of the server where it can be asked.

    Example: sluice version --json
    """
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from app.cli.output import print_fields, print_json
    from app.client import calls

    try:
        own = installed("sluice")
    except PackageNotFoundError:
        own = "0"
    server, why = None, None
    try:
        with connect() as client:
            server = client.send(calls.version(), patience_seconds=0)
    except ClientError as error:
        why = error.detail
    if as_json:
        print_json({"version": own, "server": server})
        return
    engine = (server or {}).get("engine") or {}
    rows = [("sluice", own), ("server", server["version"] if server else f"not asked: {why}")]
    if server:
        rows += [("engine", f"{engine.get('kind')} {engine.get('version')}" if engine else "none")]
        rows += [("policy engine", str(server.get("policy_engine")))]
    print_fields(rows)
