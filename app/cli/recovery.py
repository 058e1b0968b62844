"""`sluice recovery …`."""

from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit, MaybeWorkspace
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group("What a dead apply may have left that no state knows: import it, or dismiss it.")
_NOTHING = "Nothing is missing: a state knows everything that the applies left."


def list_items(
    workspace: MaybeWorkspace = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was resolved or dismissed.")] = False,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List resources that may exist and no state knows, newest first.

    Example: sluice recovery list -w prod
    """
    from app.cli.output import moment
    from app.client import state_calls

    status = None if everything else "open"
    print_listing(
        lambda size, cursor: state_calls.recovery_items(workspace, status, limit=size, cursor=cursor),
        lambda item: (
            item["id"],
            item["outcome"],
            item["address"],
            item["resource_id"],
            item["run_id"],
            item["status"],
            moment(item["created_at"]),
        ),
        columns=("ID", "Outcome", "Address", "Resource id", "Run", "Status", "Listed"),
        empty=_NOTHING,
        limit=limit,
        as_json=as_json,
    )


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a plan or of its apply.", show_default=False)],
    import_blocks: Annotated[
        bool,
        typer.Option("--import-blocks", help="Print nothing but import blocks; what lacks its id as a comment."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run's recovery list: what its apply made or may have made, with import blocks and what to check.

    Examples:
      sluice recovery show run-01k…

      sluice recovery show run-01k… --import-blocks > imports.tf
    """
    from app.cli.output import print_fields, print_json, print_table, say
    from app.client import state_calls

    if import_blocks and as_json:
        raise LocalProblem("Take --import-blocks or --json; the document holds the blocks too.", "usage")
    with connect() as client:
        found = client.send(state_calls.run_recovery(run))
    if as_json:
        print_json(found)
        return
    waiting = [item for item in found["items"] if item["status"] == "open"]
    if import_blocks:
        typer.echo("\n".join(filter(None, map(_block, waiting))), nl=False)
        return
    names = ("run_id", "is_complete", "evidence", "open_count", "failure")
    print_fields([(name, found[name]) for name in names if found[name] is not None])
    rows = (
        (item["outcome"], item["address"], item["resource_id"], item["status"], item["id"]) for item in found["items"]
    )
    print_table(("Outcome", "Address", "Resource id", "Status", "ID"), rows, _NOTHING)
    for item in waiting:
        say(f"\n{item['address']}: {item['reason']}")
        if item["check"]:
            say(item["check"])
        if item["import_block"]:
            say(item["import_block"].rstrip())


def _block(item: dict[str, Any]) -> str:
    """Return an item's import block; what lacks its id is a comment, so that the file can be used as it is."""
    if item["import_block"]:
        return str(item["import_block"])
    if not item["import_template"]:
        return ""
    lines = [f"{item['address']}: {item['reason']}", *item["import_template"].splitlines()]
    return "".join(f"# {line}\n" for line in lines)


def dismiss(
    item: Annotated[str, typer.Argument(metavar="ID", help="Id of an item, rec-….", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is audited.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Take an item off the list: the resource does not exist, or is taken care of elsewhere.

    Example: sluice recovery dismiss rec-01k… --reason "deleted by hand"
    """
    from app.cli.output import print_json, say
    from app.client import state_calls

    with connect() as client:
        found = client.send(state_calls.dismiss_recovery_item(item, reason))
    if as_json:
        print_json(found)
    else:
        say(f"{found['address']} was dismissed.")


register(commands, "list", list_items)
register(commands, "show", show)
register(commands, "dismiss", dismiss)
