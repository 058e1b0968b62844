"""`sluice state quarantine …` and `sluice state retention …`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import state_changes
from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit, MaybeWorkspace, Workspace
from app.cli.program import group, register
from app.client.errors import ApiError, LocalProblem

quarantine = group("States that could not become versions: what a failed or late apply left.")
retention = group("How long the content of old state versions is kept.")
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a quarantined state, qs-….", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is audited.", show_default=False)]
_UNREADABLE = ("state_unreadable", "state_encrypted")


def list_quarantined(
    workspace: MaybeWorkspace = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was restored or discarded.")] = False,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List states that wait in quarantine, newest first.

    Example: sluice state quarantine list -w prod
    """
    from app.cli.output import moment
    from app.client import state_calls

    status = None if everything else "held"
    print_listing(
        lambda size, cursor: state_calls.quarantined(workspace, status, limit=size, cursor=cursor),
        lambda item: (
            item["id"],
            item["kind"],
            item["code"],
            item["serial"],
            item["run_id"],
            item["status"],
            moment(item["created_at"]),
        ),
        columns=("ID", "Kind", "Refused with", "Serial", "Run", "Status", "Came"),
        empty="Nothing is in quarantine.",
        limit=limit,
        as_json=as_json,
    )


def show(quarantine_id: Id, as_json: AsJson = False) -> None:
    """Show why a state was refused, what it holds, and what restoring it would change. Sensitive values stay hidden.

    Example: sluice state quarantine show qs-01k…
    """
    from app.cli.output import moment, print_fields, print_json, print_table
    from app.client import state_calls

    with connect() as client:
        found = client.send(state_calls.quarantined_state(quarantine_id))
        resources: list[Any] | None = None
        difference: dict[str, Any] | None = None
        if found["status"] == "held":
            try:
                resources = list(
                    client.items(lambda cursor: state_calls.quarantined_resources(quarantine_id, cursor=cursor))
                )
                difference = state_changes.whole_diff(
                    client, lambda cursor: state_calls.quarantined_diff(quarantine_id, cursor=cursor)
                )
            except ApiError as error:
                # It is kept as it came, which may be half of a state.
                if error.code not in _UNREADABLE:
                    raise
    if as_json:
        print_json({**found, "resources": resources, "diff": difference})
        return
    names = ("id", "workspace_id", "run_id", "kind", "code", "reason", "serial", "lineage", "digest", "size_bytes")
    decided = ("status", "decision_reason", "state_version_id")
    print_fields(
        [
            *((name, found.get(name)) for name in names),
            ("came", moment(found["created_at"])),
            *((name, found[name]) for name in decided if found.get(name) is not None),
        ]
    )
    if resources is not None:
        rows = ((item["address"], item["provider"]) for item in resources)
        print_table(("Resource", "Provider"), rows, "It holds no resources.")
    if difference is not None:
        state_changes.print_diff(difference)


def restore(
    quarantine_id: Id,
    reason: Reason,
    replace_lineage: Annotated[
        bool, typer.Option("--replace-lineage", help="Also when it is the state of something else by its lineage.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a quarantined state the workspace's current one, as a new version. Refused while a run is at work.

    Its serial is raised when it must be; plans that were made from the state before are superseded.

    Example: sluice state quarantine restore qs-01k… --reason "the apply's own end was cut off"
    """
    from app.cli.output import print_json, say
    from app.client import state_calls

    with connect() as client:
        made = client.send(state_calls.restore_quarantined(quarantine_id, reason, replace_lineage=replace_lineage))
    if as_json:
        print_json(made)
    else:
        say(f"{made['id']} is the current state: version {made['number']}, serial {made['serial']}.")


def discard(quarantine_id: Id, reason: Reason, as_json: AsJson = False) -> None:
    """Let go of a quarantined state for good; that it was there stays on record.

    Example: sluice state quarantine discard qs-01k… --reason "the later state has it all"
    """
    from app.cli.output import print_json, say
    from app.client import state_calls

    with connect() as client:
        found = client.send(state_calls.discard_quarantined(quarantine_id, reason))
    if as_json:
        print_json(found)
    else:
        say(f"{quarantine_id} was discarded.")


def download(
    quarantine_id: Id,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write (0600).", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Download what was refused, byte for byte, secrets included. Each download is audited.

    Example: sluice state quarantine download qs-01k… -o left.tfstate
    """
    from app.cli.output import print_json, say
    from app.client import state_calls

    with connect() as client:
        data = client.send(state_calls.download_quarantined(quarantine_id))
    state_changes.write_private(output, data)
    if as_json:
        print_json({"id": quarantine_id, "file": str(output), "size_bytes": len(data)})
    else:
        say(f"Wrote {output} ({len(data)} bytes). It may hold secrets.")


def show_retention(workspace: Workspace, as_json: AsJson = False) -> None:
    """Show how long a workspace keeps the content of old state versions.

    Example: sluice state retention show -w prod
    """
    from app.client import state_calls

    with connect() as client:
        _print_retention(client.send(state_calls.retention(workspace)), as_json=as_json)


def set_retention(
    workspace: Workspace,
    keep_versions: Annotated[
        int | None, typer.Option(help="Keep the newest so many.", min=1, show_default=False)
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option(help="Keep those of the last so many days.", min=1, show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--keep-everything", help="Set no limit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set how long a workspace keeps the content of old state versions. The newest one's is always kept.

    What is not named has no limit. A version's content goes when every limit lets it go.

    Example: sluice state retention set -w prod --keep-versions 100 --keep-days 365
    """
    from app.client import state_calls

    if everything == (keep_versions is not None or keep_days is not None):
        raise LocalProblem("Name --keep-versions, --keep-days or both; or --keep-everything.", "usage")
    with connect() as client:
        call = state_calls.set_retention(workspace, keep_versions=keep_versions, keep_days=keep_days)
        _print_retention(client.send(call), as_json=as_json)


def _print_retention(found: dict[str, Any], *, as_json: bool) -> None:
    from app.cli.output import print_fields, print_json

    if as_json:
        print_json(found)
        return
    shown = {name: found[name] if found[name] is not None else "no limit" for name in ("keep_versions", "keep_days")}
    print_fields(list(shown.items()))


register(quarantine, "list", list_quarantined)
register(quarantine, "show", show)
register(quarantine, "restore", restore)
register(quarantine, "discard", discard)
register(quarantine, "download", download)
register(retention, "show", show_retention)
register(retention, "set", set_retention)
