"""`sluice policy sets|attach|list|sync|detach`."""

from typing import Annotated, Literal

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Limit, MaybeWorkspace
from app.cli.program import group, register

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


def attach(
    policy_set: Annotated[
        str, typer.Argument(metavar="POLICY_SET", help="Such as policies/blast_radius.", show_default=False)
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
    """
    from app.cli.output import print_json
    from app.client import calls

    body = {
        "policy_set_uri": policy_set,
        "enforcement_level": level,
        "workspace": workspace,
        "tag": tag,
        "waives_unevaluable": waives_unevaluable,
    }
    with connect() as client:
        made = client.send(calls.post("/terraform/policy-attachments", body))
    if as_json:
        print_json(made)
    else:
        typer.echo(f"Attached {made['policy_set_uri']} ({made['enforcement_level']}): {made['id']}.")


def list_attachments(workspace: MaybeWorkspace = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List attachments; with --workspace, those that bind it, by itself, by a tag or by the organization.

    Example: sluice policy list --workspace prod-network
    """
    from app.cli.output import moment, print_json, print_table
    from app.client import calls

    with connect() as client:
        found = list(
            client.items(
                lambda cursor: calls.listing("/terraform/policy-attachments", cursor=cursor, workspace=workspace),
                limit=limit,
            )
        )
    if as_json:
        print_json({"items": found})
        return
    rows = (
        (
            item["id"],
            item["policy_set_uri"],
            item["enforcement_level"],
            item["workspace"]["name"] if item["workspace"] else f"tag {item['tag']}" if item["tag"] else "organization",
            item["bundle_digest"][:12],
            moment(item["synced_at"]),
        )
        for item in found
    )
    print_table(("ID", "Policy set", "Level", "Binds", "Digest", "Synced"), rows, "No policy is attached.")


def sync(attachment: Attachment, as_json: AsJson = False) -> None:
    """Pin an attachment to the policy set as it is now. When that moved, approvals become void.

    Example: sluice policy sync polatt-01k…
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        answer = client.send(calls.post(f"/terraform/policy-attachments/{attachment}/sync", is_repeatable=True))
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
register(commands, "attach", attach)
register(commands, "list", list_attachments)
register(commands, "sync", sync)
register(commands, "detach", detach)
