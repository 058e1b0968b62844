"""`sluice var set|list|delete`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Workspace
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group("Variables of a workspace: inputs of the configuration, or environment of the engine.")
IsEnv = Annotated[bool, typer.Option("--env", help="An environment variable of the engine, not an input variable.")]


def set_variables(
    workspace: Workspace,
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE… | KEY", help="What to set.", show_default=False)
    ],
    env: IsEnv = False,
    sensitive: Annotated[
        bool | None,
        typer.Option(
            "--sensitive/--no-sensitive",
            help="Encrypted, masked in logs and plans, and never shown again.",
            show_default=False,
        ),
    ] = None,
    hcl: Annotated[
        bool | None,
        typer.Option(
            "--hcl/--no-hcl",
            help="The value is an expression (a list, a map, a number), not a string.",
            show_default=False,
        ),
    ] = None,
    value_stdin: Annotated[
        bool, typer.Option("--value-stdin", help="Read the value of one KEY from standard input.")
    ] = False,
    from_file: Annotated[
        Path | None, typer.Option("--from-file", help="Read the value of one KEY from a file.", show_default=False)
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="What it is for.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set variables. A new value supersedes the plans that wait in the workspace; flags that are not named stay.

    A value on the command line can be read in the process list and in the shell's history: give a secret by
    --value-stdin or --from-file. A KEY alone, on a terminal, is asked for without echo when it is --sensitive.

    Examples:
      sluice var set -w prod region=eu-central-1 size=3

      pass show db | sluice var set -w prod db_password --sensitive --value-stdin

      sluice var set -w prod --hcl 'zones=["a", "b"]'

      sluice var set -w prod --env AWS_REGION=eu-central-1
    """
    from app.cli.output import print_json, say
    from app.client import calls

    values = _values(assignments, value_stdin=value_stdin, from_file=from_file, sensitive=bool(sensitive))
    kind = "env" if env else "terraform"
    if sensitive and any("=" in item for item in assignments):
        say("sluice: a secret on the command line can be seen by others; --value-stdin or --from-file hides it.")
    with connect() as client:
        known = {(item["kind"], item["key"]): item for item in client.send(calls.list_variables(workspace))}
        stored = []
        for key, value in values:
            before = known.get((kind, key), {})
            call = calls.put_variable(
                workspace,
                key,
                value,
                kind=kind,
                sensitive=bool(before.get("is_sensitive")) if sensitive is None else sensitive,
                hcl=bool(before.get("is_hcl")) if hcl is None else hcl,
                description=str(before.get("description", "")) if description is None else description,
            )
            stored.append(client.send(call))
    if as_json:
        print_json({"items": stored})
    else:
        _print(stored)


def _values(
    assignments: list[str], *, value_stdin: bool, from_file: Path | None, sensitive: bool
) -> list[tuple[str, str]]:
    if value_stdin or from_file is not None:
        if len(assignments) != 1 or "=" in assignments[0] or (value_stdin and from_file is not None):
            raise LocalProblem(
                "--value-stdin and --from-file give the value of one KEY: write `sluice var set -w NAME KEY "
                "--value-stdin`, one of the two.",
                "usage",
            )
        return [(assignments[0], _read_stdin() if from_file is None else _read_file(from_file))]
    pairs = []
    for item in assignments:
        key, equals, value = item.partition("=")
        if not equals:
            value = _ask(key, sensitive=sensitive)
        if not key:
            raise LocalProblem(f"{item!r} has no name before the =. Write KEY=VALUE.", "usage")
        pairs.append((key, value))
    return pairs


def _read_stdin() -> str:
    return sys.stdin.read().removesuffix("\n")


def _read_file(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LocalProblem(f"{file} can't be read: {reason}.", "file_unreadable") from None


def _ask(key: str, *, sensitive: bool) -> str:
    if not sys.stdin.isatty():
        raise LocalProblem(
            f"{key} has no value. Write {key}=VALUE, or give it by --value-stdin or --from-file.", "usage"
        )
    return str(typer.prompt(key, hide_input=sensitive, default="", show_default=False, err=True))


def _print(variables: list[dict[str, Any]]) -> None:
    from app.cli.output import print_table, styled

    rows = (
        (
            item["key"],
            item["kind"],
            styled("(sensitive)", "dim") if item["is_sensitive"] else item["value"],
            "HCL" if item["is_hcl"] else "string",
            item["description"],
        )
        for item in variables
    )
    print_table(("Key", "Kind", "Value", "Type", "Description"), rows, "No variables.")


def list_variables(workspace: Workspace, as_json: AsJson = False) -> None:
    """List a workspace's variables. Sensitive values are never shown.

    Example: sluice var list -w prod
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        found = client.send(calls.list_variables(workspace))
    if as_json:
        print_json({"items": found})
    else:
        _print(found)


def delete_variable(
    workspace: Workspace,
    keys: Annotated[list[str], typer.Argument(metavar="KEY…", help="What to delete.", show_default=False)],
    env: IsEnv = False,
    as_json: AsJson = False,
) -> None:
    """Delete variables. Plans that wait in the workspace are superseded.

    Example: sluice var delete -w prod size
    """
    from app.cli.output import print_json
    from app.client import calls

    kind = "env" if env else "terraform"
    with connect() as client:
        for key in keys:
            client.send(calls.delete_variable(workspace, key, kind=kind))
    if as_json:
        print_json({"deleted": [{"key": key, "kind": kind} for key in keys]})
    else:
        typer.echo(f"Deleted {', '.join(keys)}.")


register(commands, "set", set_variables)
register(commands, "list", list_variables)
register(commands, "delete", delete_variable)
