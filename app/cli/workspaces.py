"""`sluice workspace create|list|show|set|delete`."""

import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.backend_options import describe_backend
from app.cli.gate_options import NoMoreApprovals, describe_gate
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit
from app.cli.program import FAILED, group, register
from app.cli.spreading import spread
from app.cli.workspace_settings import WorkspaceSettings
from app.client.errors import LocalProblem

commands = group("Workspaces: where a stack is planned and applied, with its rules and its state.")
Name = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Name or id of the workspace.", show_default=False)]


def _refuse_both(takes_away: str, sets: str, are_both: object) -> None:
    if are_both:
        raise LocalProblem(f"{takes_away} and {sets} contradict each other: name one of them.", "usage")


@spread
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new workspace.", show_default=False)],
    stack: Annotated[str, typer.Option("--stack", help="Name or id of its stack.", show_default=False)],
    given: WorkspaceSettings,
    as_json: AsJson = False,
) -> None:
    r"""Create a workspace of a stack.

    Examples:
      sluice workspace create prod-network --stack network --required-approvals 2 --approver-team platform

      sluice workspace create dev-network --stack network --auto-apply

      sluice workspace create prod-db --stack db --state-backend s3 --setting bucket=states \
        --setting key=prod-db.tfstate --setting region=eu-central-1
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        made = client.send(calls.create_workspace(name, stack, **given.fields(client))).document
    if as_json:
        print_json(made)
    else:
        _print(made)


def list_workspaces(
    search: Annotated[
        str | None, typer.Option("--search", help="Part of a workspace's or stack's name.", show_default=False)
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only with this tag.", show_default=False)] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List workspaces with their newest run.

    Example: sluice workspace list --tag env:prod
    """
    from app.cli.output import status_text
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/terraform/workspaces", limit=size, cursor=cursor, search=search, tag=tag),
        lambda item: (
            item["name"],
            item["stack"]["name"],
            (item["head"] or {}).get("number"),
            item.get("resource_count"),
            status_text(item["latest_run"]["status"]) if item.get("latest_run") else None,
            (item.get("latest_run") or {}).get("id"),
            item["tags"],
        ),
        columns=("Workspace", "Stack", "Head", "Resources", "Newest run", "Run", "Tags"),
        empty="No workspaces. `sluice plan DIR --workspace NAME --create` makes one.",
        limit=limit,
        as_json=as_json,
    )


def show(workspace: Name, as_json: AsJson = False) -> None:
    """Show a workspace, its rules and its head.

    Example: sluice workspace show prod-network
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get_workspace(workspace)).document
    if as_json:
        print_json(found)
    else:
        _print(found)


@spread
def change(
    workspace: Name,
    given: WorkspaceSettings,
    rename: Annotated[str | None, typer.Option("--rename", help="New name.", show_default=False)] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all tags away.")] = False,
    any_approver: Annotated[
        bool, typer.Option("--any-approver", help="Let everyone with the right approve, whatever team.")
    ] = False,
    no_more_approvals: NoMoreApprovals = False,
    pin: Annotated[str | None, typer.Option("--pin", help="Spec version (id) to stay at.", show_default=False)] = None,
    unpin: Annotated[bool, typer.Option("--unpin", help="Follow the stack's latest version again.")] = False,
    as_json: AsJson = False,
) -> None:
    r"""Change a workspace's settings; what is not named stays.

    Changed rules void approvals; another head supersedes the plans that wait. The state backend changes so only while
    the workspace has no state; afterwards `sluice state migrate` moves it.

    Examples:
      sluice workspace set prod-network --required-approvals 2 --approver-team platform

      sluice workspace set prod-network --more-approvals deletes=3 --more-approvals tag:env=prod=2@security \
        --approval-validity 8h

      sluice workspace set prod-network --pin spec-01k…
    """
    from app.cli.output import print_json
    from app.client import calls

    _refuse_both("--no-tags", "--tag", no_tags and given.tags)
    _refuse_both("--any-approver", "--approver-team", any_approver and given.approver_teams)
    _refuse_both("--no-more-approvals", "--more-approvals", no_more_approvals and given.more_approvals)
    _refuse_both("--unpin", "--pin", unpin and pin)
    given = replace(
        given,
        tags=[] if no_tags else given.tags,
        approver_teams=[] if any_approver else given.approver_teams,
        more_approvals=[] if no_more_approvals else given.more_approvals,
    )
    with connect() as client:
        settings = given.fields(client)
        if rename is not None:
            settings["name"] = rename
        if pin is not None or unpin:
            settings["pinned_version_id"] = pin
        if not settings:
            raise LocalProblem(
                "Nothing to change was named. `sluice workspace set --help` lists the settings.", "usage"
            )
        changed = client.send(calls.change_workspace(workspace, settings)).document
    if as_json:
        print_json(changed)
    else:
        _print(changed)


def delete(
    workspace: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a workspace that has no living run and no resources in its state.

    Example: sluice workspace delete preview-12
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get_workspace(workspace))
        asks = not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
        if asks and not typer.confirm(f"Delete the workspace {found.name}, with its variables and history?"):
            typer.echo("sluice: nothing was done.", err=True)
            raise typer.Exit(FAILED)
        client.send(calls.delete_workspace(found.id))
    if as_json:
        print_json({"deleted": {"id": found.id, "name": found.name}})
    else:
        typer.echo(f"Deleted the workspace {found.name}.")


def _print(found: dict[str, Any]) -> None:
    from app.cli.output import print_fields

    head = found.get("head")
    shown_head = (
        f"{'version ' + str(head['number']) if head['number'] else head['id']} ({head['hash'][:15]}…)" if head else None
    )
    print_fields(
        [
            ("name", found["name"]),
            ("id", found["id"]),
            ("stack", found["stack"]["name"]),
            ("head", f"{shown_head}{', pinned' if found.get('pinned_version_id') else ''}" if shown_head else None),
            ("description", found.get("description") or None),
            ("tags", found.get("tags")),
            *describe_gate(found),
            ("engine", found.get("engine_kind") or "the worker's first"),
            ("engine version", found.get("engine_version") or "any"),
            ("state backend", describe_backend(found)),
        ]
    )


register(commands, "create", create)
register(commands, "list", list_workspaces)
register(commands, "show", show)
register(commands, "set", change)
register(commands, "delete", delete)
