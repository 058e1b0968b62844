"""`sluice state …`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import state_changes, state_importing, state_moves, state_recovery, state_sharing
from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit, MaybeWorkspace, Workspace
from app.cli.program import group, register
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient

commands = group("State versions and outputs of a workspace.")
Version = Annotated[
    str | None,
    typer.Argument(metavar="[VERSION]", help="Id of a state version; default: the newest.", show_default=False),
]


def list_versions(workspace: Workspace, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List a workspace's state versions, newest first.

    Example: sluice state list -w prod
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.list_state_versions(workspace, limit=size, cursor=cursor),
        lambda item: (
            item["number"],
            item["id"],
            item["kind"],
            item["serial"],
            item["resource_count"],
            item["run_id"],
            moment(item["created_at"]),
        ),
        columns=("Number", "ID", "Kind", "Serial", "Resources", "Run", "Made"),
        empty="No state yet.",
        limit=limit,
        as_json=as_json,
    )


def _newest(client: "SluiceClient", workspace: str | None, version: str | None) -> str:
    from app.client import calls

    if version is not None:
        return version
    if workspace is None:
        raise LocalProblem("Name a state version, or a workspace with --workspace.", "usage")
    found = client.send(calls.list_state_versions(workspace, limit=1)).items
    if not found:
        raise LocalProblem(f"Workspace {workspace} has no state yet: nothing was applied.", "no_state")
    return str(found[0]["id"])


def show_version(version: Version = None, workspace: MaybeWorkspace = None, as_json: AsJson = False) -> None:
    """Show a state version and the resources that it holds.

    Example: sluice state show -w prod
    """
    from app.cli.output import moment, print_fields, print_json, print_table
    from app.client import calls

    with connect() as client:
        found = client.send(calls.state_version(_newest(client, workspace, version)))
    if as_json:
        print_json(found)
        return
    names = ("id", "number", "kind", "serial", "lineage", "digest", "size_bytes", "engine_version", "run_id")
    print_fields([*((name, found.get(name)) for name in names), ("made", moment(found.get("created_at")))])
    rows = ((item["address"], item["provider"]) for item in found.get("resources", []))
    print_table(("Resource", "Provider"), rows, "It holds no resources.")


def outputs(
    version: Version = None,
    workspace: MaybeWorkspace = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Only this one; prints its value alone.", show_default=False)
    ] = None,
    reveal: Annotated[
        str | None,
        typer.Option(
            "--reveal", help="Only this one, with its value, also when it is sensitive. Audited.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show outputs. Sensitive values are null, unless one is revealed by name.

    Examples:
      sluice state outputs -w prod

      sluice state outputs -w prod --name vpc_id

      sluice state outputs -w prod --reveal admin_password
    """
    from app.cli.output import print_json, print_table, styled
    from app.client import calls

    with connect() as client:
        if reveal is not None:
            name, found = reveal, [client.send(calls.reveal_output(_newest(client, workspace, version), reveal))]
        elif version is None and workspace is not None:
            found = client.send(calls.workspace_outputs(workspace))
        else:
            found = client.send(calls.state_version(_newest(client, workspace, version), "outputs"))
    if name is not None:
        found = [item for item in found if item["name"] == name]
        if not found:
            raise LocalProblem(f"There is no output {name}.", "output_not_found")
    if as_json:
        by_name = {item["name"]: {key: item[key] for key in ("value", "type", "sensitive")} for item in found}
        print_json(found[0] if name is not None else {"items": found, "outputs": by_name})
    elif name is not None:
        typer.echo(_value(found[0]))
    else:
        rows = ((i["name"], styled("(sensitive)", "dim") if i["sensitive"] else _value(i)) for i in found)
        print_table(("Output", "Value"), rows, "No outputs.")


def _value(item: dict[str, Any]) -> str:
    value = item["value"]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def download(
    version: Version = None,
    workspace: MaybeWorkspace = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write (0600); default: standard output.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download a state as the engine wrote it, secrets included. Each download is audited.

    Example: sluice state download -w prod -o prod.tfstate
    """
    from app.cli.output import print_json, say
    from app.client import calls

    with connect() as client:
        wanted = _newest(client, workspace, version)
        data = client.send(calls.download_state(wanted))
    if output is None:
        # The state is itself the one JSON document.
        sys.stdout.write(data.decode())
        sys.stdout.flush()
        return
    state_changes.write_private(output, data)
    if as_json:
        print_json({"id": wanted, "file": str(output), "size_bytes": len(data)})
    else:
        say(f"Wrote {output} ({len(data)} bytes). It may hold secrets.")


register(commands, "list", list_versions)
register(commands, "show", show_version)
register(commands, "outputs", outputs)
register(commands, "download", download)
register(commands, "diff", state_changes.diff)
register(commands, "lock", state_changes.lock)
register(commands, "unlock", state_changes.unlock)
register(commands, "force-unlock", state_changes.force_unlock)
register(commands, "import", state_importing.import_state)
register(commands, "rollback", state_moves.rollback)
register(commands, "migrate", state_moves.migrate)
commands.add_typer(state_recovery.quarantine, name="quarantine")
commands.add_typer(state_recovery.retention, name="retention")
register(commands, "share", state_sharing.share)
