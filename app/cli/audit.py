"""`sluice audit list|verify|export|key|checkpoints`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit
from app.cli.program import DONE, FAILED, group, register

commands = group("The audit trail: who did what.")


def list_events(
    action: Annotated[
        str | None, typer.Option("--action", help="Such as run.approve, or a family: run.*", show_default=False)
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Id of what was acted on.", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Id of who acted.", show_default=False)] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List audit events, newest first.

    Example: sluice audit list --action 'run.*' --limit 100
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing(
            "/audit", limit=size, cursor=cursor, action=action, target_id=target, actor_id=actor
        ),
        lambda item: (
            moment(item["at"]),
            item["actor"]["name"],
            item["action"],
            item["target"]["id"],
            json.dumps(item["evidence"])[:120] if item["evidence"] else "",
        ),
        columns=("At", "Actor", "Action", "Target", "Evidence"),
        empty="No events.",
        limit=limit,
        as_json=as_json,
    )


PublicKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--public-key", help="A key to trust, as `sluice audit key` prints it; repeatable.", show_default=False
    ),
]


def verify(
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Begin behind a checkpoint's position, or POSITION:HASH that you trust.", show_default=False
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="Verify an export instead, without a server; needs --public-key.", show_default=False
        ),
    ] = None,
    public_key: PublicKeys = None,
    as_json: AsJson = False,
) -> None:
    """Prove the hash chain by its signed checkpoints, or say what was done to it; then exit 1.

    The server does it, page by page. With --public-key it is done here, of an export: then nothing that the server
    says is trusted, but what that key has signed.

    Example: sluice audit verify
    Example: sluice audit verify --since 4200
    Example: sluice audit verify --file audit.jsonl --public-key "$KEY"
    """
    from app.cli import audit_checking

    anchor = audit_checking.parse_anchor(since)
    if public_key or file is not None:
        report = audit_checking.check_here(file, public_key or [], anchor)
    else:
        report = audit_checking.check_there(anchor)
    audit_checking.show(report, as_json=as_json)
    raise typer.Exit(DONE if report["is_intact"] else FAILED)


def export(
    since: Annotated[
        str | None,
        typer.Option("--since", help="From this moment on, ISO 8601, such as 2026-11-01.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Until before this moment, ISO 8601.", show_default=False)
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Such as run.approve, or a family: run.*", show_default=False)
    ] = None,
    after: Annotated[int, typer.Option("--after", help="Begin behind this position of the chain.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the chained events to standard output as JSON Lines, with the signed checkpoints between them.

    Only an export without --since, --until and --action has no gaps, so that it can be verified; with --json it is
    one document instead, for reading.

    Example: sluice audit export > audit.jsonl
    Example: sluice audit export --since 2026-11-01 --action 'run.*' > decisions.jsonl
    """
    import sys

    from app.cli.output import print_json
    from app.client.audit_calls import export_audit

    with connect() as client:
        lines = client.lines(export_audit(since=since, until=until, action=action, after=after))
        if as_json:
            print_json({"items": [json.loads(line) for line in lines]})
            return
        for line in lines:
            sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def key(as_json: AsJson = False) -> None:
    """Print the public key that checkpoints are signed with now. Keep it elsewhere.

    Example: sluice audit key
    """
    from app.cli.output import print_json
    from app.client.audit_calls import audit_keys

    with connect() as client:
        found = client.send(audit_keys())
    if as_json:
        print_json(found)
    else:
        typer.echo(found["items"][0]["public_key"])


def checkpoints(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the signed checkpoints, newest first.

    Example: sluice audit checkpoints --limit 5
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/audit/checkpoints", limit=size, cursor=cursor),
        lambda one: (str(one["sequence"]), moment(one["at"]), str(one["position"]), one["head_hash"], one["key_id"]),
        columns=("Checkpoint", "At", "Position", "Hash", "Key"),
        empty="No checkpoint yet.",
        limit=limit,
        as_json=as_json,
    )


register(commands, "list", list_events)
register(commands, "verify", verify)
register(commands, "export", export)
register(commands, "key", key)
register(commands, "checkpoints", checkpoints)
