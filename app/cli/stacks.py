"""`sluice stack push|create|list|show|versions|diff`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit
from app.cli.output import MINUS
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group("Stacks: versioned specs that workspaces are planned from.")
StackArgument = Annotated[str, typer.Argument(metavar="STACK", help="Name or id of the stack.", show_default=False)]


def push(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Spec, YAML or JSON; - reads standard input.", show_default=False)
    ],
    message: Annotated[str, typer.Option("--message", "-m", help="Why, for people.")] = "",
    name: Annotated[
        str | None, typer.Option("--name", help="Stack; default: the spec's `name`.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Push a spec. It becomes the stack's next version when its content differs from the latest one.

    A spec names the stack, the module, and its inputs:

      name: network

      module_source: modules/vpc

      inputs: {cidr: 10.0.0.0/16}

    Example: sluice stack push network.yaml --message "second availability zone"
    """
    from app.cli.output import print_json
    from app.client import calls

    text = _read(file)
    with connect() as client:
        answer = client.send(calls.push_spec(name or _name_in(text, file), text, message=message))
    if as_json:
        print_json(answer)
        return
    version = answer["version"]
    what = "pushed version" if answer["created"] else "nothing new: the latest version is"
    typer.echo(f"{answer['stack']['name']}: {what} {version['number']} ({version['hash'][:15]}…, {version['id']}).")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise LocalProblem(
            f"{file} can't be read: {error.strerror}. Name a spec, YAML or JSON.", "file_unreadable"
        ) from None


def _name_in(text: bytes, file: Path) -> str:
    """Return the spec's name; the server reads the rest, and says what is wrong with it."""
    import yaml

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        at = f", line {where.line + 1}, column {where.column + 1}" if where is not None else ""
        raise LocalProblem(f"{file} is neither YAML nor JSON{at}.", "spec_unreadable") from None
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str) or not name:
        raise LocalProblem(f"{file} has no `name`. Add it, or say --name STACK.", "spec_invalid")
    return name


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new stack.", show_default=False)],
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a stack without a spec, for workspaces that are planned from uploads.

    Example: sluice stack create network
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        made = client.send(calls.create_stack(name, description))
    if as_json:
        print_json(made.document)
    else:
        typer.echo(f"Made the stack {made.name} ({made.id}).")


def list_stacks(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List stacks.

    Example: sluice stack list
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/terraform/stacks", limit=size, cursor=cursor),
        lambda item: (
            item["name"],
            (item["latest_version"] or {}).get("number"),
            item["workspace_count"],
            moment(item["created_at"]),
            item["description"],
        ),
        columns=("Stack", "Version", "Workspaces", "Made", "Description"),
        empty="No stacks. `sluice stack push FILE` makes one.",
        limit=limit,
        as_json=as_json,
    )


def show(stack: StackArgument, as_json: AsJson = False) -> None:
    """Show a stack and its latest spec.

    Example: sluice stack show network
    """
    from app.cli.output import console, print_fields, print_json
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get_stack(stack)).document
        latest = found.get("latest_version")
        version = client.send(calls.get(f"/terraform/spec-versions/{latest['id']}")) if latest else None
    if as_json:
        print_json({**found, "spec": version["document"] if version else None})
        return
    rows = [("name", found["name"]), ("id", found["id"]), ("workspaces", found["workspace_count"])]
    rows += [("version", version["number"]), ("hash", version["hash"])] if version else [("version", None)]
    print_fields(rows)
    if version:
        console().print(json.dumps(version["document"], indent=2))


def versions(stack: StackArgument, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List a stack's pushed versions, newest first.

    Example: sluice stack versions network
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.list_spec_versions(stack, limit=size, cursor=cursor),
        lambda item: (
            item["number"],
            item["id"],
            item["hash"][:15],
            item["created_by"]["name"],
            moment(item["created_at"]),
            item["message"],
        ),
        columns=("Version", "ID", "Hash", "By", "Pushed", "Message"),
        empty="No version was pushed yet.",
        limit=limit,
        as_json=as_json,
    )


def diff(
    stack: StackArgument,
    before: Annotated[str, typer.Argument(metavar="A", help="Number or id of a version.", show_default=False)],
    after: Annotated[
        str | None, typer.Argument(metavar="[B]", help="Number or id; default: the latest.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions of a stack's spec.

    Example: sluice stack diff network 3 4
    """
    from app.cli.output import print_json, print_table, styled
    from app.client import calls

    with connect() as client:
        known = list(client.items(lambda cursor: calls.list_spec_versions(stack, cursor=cursor)))
        first, second = _id_of(known, before), _id_of(known, after)
        found = client.send(calls.get(f"/terraform/spec-versions/{first}/diff/{second}"))
    if as_json:
        print_json(found)
        return
    signs = {"add": ("+", "green"), "remove": (MINUS, "red"), "change": ("~", "yellow")}
    rows = (
        (
            styled(*signs.get(item["op"], ("?", ""))),
            item["path"],
            json.dumps(item.get("before")) if item["op"] != "add" else "",
            json.dumps(item.get("after")) if item["op"] != "remove" else "",
        )
        for item in found["changes"]
    )
    print_table(("", "Path", "Before", "After"), rows, "The two are equal.")


def _id_of(known: list[dict[str, Any]], wanted: str | None) -> str:
    """Return a version's id by its number or id; None is the latest."""
    if not known:
        raise LocalProblem("The stack has no pushed version yet.", "spec_version_not_found")
    if wanted is None:
        return str(known[0]["id"])
    number = wanted.removeprefix("v")
    found = next((item for item in known if wanted == item["id"] or number == str(item["number"])), None)
    if found is None:
        raise LocalProblem(
            f"The stack has no version {wanted}. `sluice stack versions` lists them.", "spec_version_not_found"
        )
    return str(found["id"])


register(commands, "push", push)
register(commands, "create", create)
register(commands, "list", list_stacks)
register(commands, "show", show)
register(commands, "versions", versions)
register(commands, "diff", diff)
