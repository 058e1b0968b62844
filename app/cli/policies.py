"""`sluice policy sets|upload|attach|list|sync|detach`; rehearsing lies in `rehearsing`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli import rehearsing
from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit, MaybeWorkspace
from app.cli.program import group, register, with_remedy

commands = group("Policies: sets of Rego rules, and where they are attached.")
Level = Literal["advisory", "soft-mandatory", "hard-mandatory"]
Attachment = Annotated[str, typer.Argument(metavar="ATTACHMENT", help="Id of the attachment.", show_default=False)]


def sets(as_json: AsJson = False) -> None:
    """List the policy sets that can be attached.

    Example: sluice policy sets
    """
    from app.cli.output import print_json, print_table
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get("/terraform/policy-sets"))
    if as_json:
        print_json({"items": found})
        return
    rows = ((item["uri"], item["title"], len(item["files"]), item["error"]) for item in found)
    print_table(("Policy set", "What", "Files", "Error"), rows, "No policy sets under the policies directory.")


def upload(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A directory with .rego files, or one.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What people call it; else the path's own name.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Upload a policy set, to be attached by the address that is printed. Tests stay out.

    Example: sluice policy upload ./my-policies
    """
    from app.cli.output import print_json
    from app.client import policy_calls
    from app.client.packing import pack_policies

    archive = pack_policies(path)
    with connect() as client:
        made = client.send(policy_calls.upload_policies(archive.data, name or path.resolve().name))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["uri"])


def attach(
    policy_set: Annotated[
        str,
        typer.Argument(
            metavar="POLICY_SET",
            help="policies/NAME, upload:sha256:…, or git+https://…//path?ref=…",
            show_default=False,
        ),
    ],
    level: Annotated[Level, typer.Option("--level", help="What a failure does.")] = "hard-mandatory",
    workspace: MaybeWorkspace = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="Bind every workspace with this tag.", show_default=False)
    ] = None,
    waives_unevaluable: Annotated[
        bool, typer.Option("--waives-unevaluable", help="Let plans pass when it can't be evaluated; advisory only.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Attach a policy set to a workspace, to a tag, or, with neither, to the whole organization.

    Approvals of plans that it binds become void, and those plans are checked again.

    Examples:
      sluice policy attach policies/blast_radius --level soft-mandatory --workspace prod-network

      sluice policy attach policies/blast_radius --tag env:prod

      sluice policy attach "git+https://git.example.org/rules.git//net?ref=v1.2" --level soft-mandatory
    """
    from app.cli.output import print_json
    from app.client import policy_calls
    from app.client.errors import ApiError

    call = policy_calls.attach_policies(
        policy_set, level, workspace=workspace, tag=tag, waives_unevaluable=waives_unevaluable
    )
    with connect() as client:
        try:
            made = client.send(call)
        except ApiError as error:
            is_unknown = error.code in {"policy_set_uri_refused", "policy_set_not_found"}
            if is_unknown and Path(policy_set).exists():
                remedy = (
                    f"Upload it first, and attach the address that is printed: `sluice policy upload {policy_set}`."
                )
                raise with_remedy(error, remedy) from None
            raise
    if as_json:
        print_json(made)
    else:
        commit = f" at commit {made['commit_id'][:12]}" if made["commit_id"] else ""
        typer.echo(f"Attached {made['policy_set_uri']}{commit} ({made['enforcement_level']}): {made['id']}.")


def list_attachments(workspace: MaybeWorkspace = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List attachments; with --workspace, those that bind it, by itself, by a tag or by the organization.

    Example: sluice policy list --workspace prod-network
    """
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing(
            "/terraform/policy-attachments", limit=size, cursor=cursor, workspace=workspace
        ),
        lambda item: (
            item["id"],
            item["policy_set_uri"],
            item["enforcement_level"],
            item["workspace"]["name"] if item["workspace"] else f"tag {item['tag']}" if item["tag"] else "organization",
            item["bundle_digest"][:12],
            item["commit_id"] and item["commit_id"][:12],
            moment(item["synced_at"]),
            _newer(item["newer"]),
        ),
        columns=("ID", "Policy set", "Level", "Binds", "Digest", "Commit", "Synced", "Source"),
        empty="No policy is attached.",
        limit=limit,
        as_json=as_json,
    )


def _newer(found: dict[str, Any] | None) -> str | None:
    if found is None:
        return None
    if found["error"]:
        return "can't be read"
    return "newer: sync" if found["bundle_digest"] else "as pinned"


def sync(attachment: Attachment, as_json: AsJson = False) -> None:
    """Pin an attachment to the policy set as it is now. When that moved, approvals become void.

    Example: sluice policy sync polatt-01k…
    """
    from app.cli.output import print_json
    from app.client import policy_calls

    with connect() as client:
        answer = client.send(policy_calls.sync_policies(attachment))
    if as_json:
        print_json(answer)
    else:
        typer.echo(
            "It moved: approvals are void, and plans are checked again." if answer["is_changed"] else "Nothing moved."
        )


def detach(attachment: Attachment, as_json: AsJson = False) -> None:
    """Detach a policy set. Approvals of plans that it bound become void.

    Example: sluice policy detach polatt-01k…
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        client.send(calls.delete(f"/terraform/policy-attachments/{attachment}"))
    if as_json:
        print_json({"deleted": {"id": attachment}})
    else:
        typer.echo(f"Detached {attachment}.")


register(commands, "sets", sets)
register(commands, "upload", upload)
register(commands, "attach", attach)
register(commands, "list", list_attachments)
register(commands, "rehearse", rehearsing.rehearse)
register(commands, "try", rehearsing.try_policy)
register(commands, "input", rehearsing.policy_input)
register(commands, "sync", sync)
register(commands, "detach", detach)
