"""`sluice state import`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.access import connect
from app.cli.making import Create, StackName, find_workspace, make_workspace
from app.cli.options import AsJson, Workspace
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client.calls import Call

_DEFAULT_HCP_HOST = "app.terraform.io"
File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="State file, such as terraform.tfstate; - for standard input."),
]
FromHcp = Annotated[
    str | None,
    typer.Option(
        "--from-hcp",
        metavar="ORG/WORKSPACE",
        help="Workspace of HCP Terraform to import. Its token is read from TFE_TOKEN, or TF_TOKEN_app_terraform_io.",
        show_default=False,
    ),
]
HcpAddress = Annotated[
    str | None, typer.Option("--hcp-address", help="Address of Terraform Enterprise; https://…", show_default=False)
]
WithVariables = Annotated[
    bool, typer.Option("--variables/--no-variables", help="With --from-hcp: set its variables here too.")
]


def import_state(
    workspace: Workspace,
    file: File = None,
    from_hcp: FromHcp = None,
    hcp_address: HcpAddress = None,
    variables: WithVariables = True,
    create: Create = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Bring an existing state in as a workspace's first state version.

    FILE is what `tofu state pull` or `terraform state pull` prints. A workspace that has a state is left alone. The
    first plan afterwards shows no changes when the configuration is the one that the state was made from.

    Examples:
      tofu state pull | sluice state import --workspace prod-network --create -

      TFE_TOKEN=… sluice state import --workspace prod-network --from-hcp acme/network
    """
    from app.cli.output import print_json

    if (file is None) == (from_hcp is None):
        raise LocalProblem("Name a state file, or a workspace of HCP Terraform with --from-hcp: one of them.", "usage")
    call = _from_file(workspace, file) if file is not None else _from_hcp(workspace, from_hcp, hcp_address, variables)
    with connect() as client:
        if find_workspace(client, workspace, stack=stack, create=create) is None:
            make_workspace(client, workspace, stack=stack)
        answer = client.send(call)
    if as_json:
        print_json(answer)
        return
    _print(workspace, answer if file is not None else answer["state_version"])
    if file is None:
        _print_variables(workspace, answer["variables"])


def _from_file(workspace: str, file: Path) -> "Call[Any]":
    from app.client import state_calls

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise LocalProblem(f"{file} can't be read: {error.strerror}.", "file_unreadable") from None
    return state_calls.import_state(workspace, data)


def _from_hcp(workspace: str, named: str | None, address: str | None, with_variables: bool) -> "Call[Any]":
    from app.client import state_calls

    organization, slash, name = (named or "").partition("/")
    if not (organization and slash and name) or "/" in name:
        raise LocalProblem(f"{named!r} is no workspace of HCP Terraform: write --from-hcp ORG/WORKSPACE.", "usage")
    wanted = {
        "organization": organization,
        "workspace": name,
        "token": _token(address),
        "address": address,
        "with_variables": with_variables,
    }
    return state_calls.import_state_from_hcp(workspace, wanted)


def _token(address: str | None) -> str:
    """Return the token, from the variables that the engines and HashiCorp's own tools read."""
    host = (address or _DEFAULT_HCP_HOST).partition("://")[2] or address or _DEFAULT_HCP_HOST
    by_host = f"TF_TOKEN_{host.strip('/').partition(':')[0].replace('-', '__').replace('.', '_')}"
    for name in (by_host, "TFE_TOKEN"):
        if found := os.environ.get(name, "").strip():
            return found
    raise LocalProblem(f"Set {by_host}, or TFE_TOKEN, to an API token of HCP Terraform.", "hcp_token_missing")


def _print(workspace: str, version: dict[str, Any]) -> None:
    from app.cli.output import print_fields, say

    names = ("id", "number", "kind", "serial", "lineage", "resource_count", "size_bytes", "engine_version")
    print_fields([(name, version.get(name)) for name in names])
    say(f"Imported. `sluice plan DIR --workspace {workspace} --wait` shows whether code and state agree.")


def _print_variables(workspace: str, found: list[dict[str, Any]]) -> None:
    from app.cli.output import print_table, say

    rows = ((item["key"], item["kind"], item["outcome"].replace("_", " "), item["reason"] or "") for item in found)
    print_table(("Variable", "Kind", "Outcome", "Why"), rows, "No variables.")
    if any(item["outcome"] == "to_set_by_hand" for item in found):
        say(f"Set the sensitive ones by hand: `sluice var set KEY --workspace {workspace} --sensitive`.")
