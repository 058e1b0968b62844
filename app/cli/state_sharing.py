"""`sluice state share`."""

from typing import Annotated

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Workspace
from app.client.errors import LocalProblem


def share(
    workspace: Workspace,
    readers: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="WORKSPACE", help="Also share with this one; may be repeated."),
    ] = None,
    not_with: Annotated[
        list[str] | None,
        typer.Option("--not-with", metavar="WORKSPACE", help="No longer with this one; may be repeated."),
    ] = None,
    everyone: Annotated[
        bool | None,
        typer.Option("--everyone/--not-everyone", help="With every workspace of the organization.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let other workspaces take a workspace's outputs as inputs, sensitive ones too. Without options: show who may.

    A spec names them in output_mappings: `vpc_id: workspace:prod-network.vpc_id`.

    Example: sluice state share --workspace prod-network --with prod-app
    """
    from app.cli.output import clean, print_json
    from app.client import state_calls

    added, removed = set(readers or []), set(not_with or [])
    if both := sorted(added & removed):
        raise LocalProblem(f"{both[0]} is named by --with and by --not-with: choose one.", "usage")
    with connect() as client:
        found = client.send(state_calls.output_sharing(workspace))
        if added or removed or everyone is not None:
            kept = [item["name"] for item in found["readers"] if not {item["name"], item["id"]} & removed]
            found = client.send(
                state_calls.set_output_sharing(
                    workspace,
                    everyone=found["everyone"] if everyone is None else everyone,
                    readers=sorted({*kept, *added}),
                )
            )
    if as_json:
        print_json(found)
        return
    if found["everyone"]:
        typer.echo(clean(f"Every workspace of the organization may read the outputs of {workspace}."))
    for item in found["readers"]:
        typer.echo(clean(f"{item['name']} may read the outputs of {workspace}."))
    if not found["everyone"] and not found["readers"]:
        typer.echo(clean(f"No other workspace may read the outputs of {workspace}."))
