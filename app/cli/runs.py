"""`sluice runs`, `sluice run show`, `sluice logs`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Limit, MaybeWorkspace, RunId
from app.cli.output import MINUS
from app.cli.program import group, register

if TYPE_CHECKING:
    from app.client import Record, Run, SluiceClient


class Status(StrEnum):
    """Statuses of runs, to choose by."""

    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    POLICY_BLOCKED = "policy_blocked"
    APPROVED = "approved"
    PLANNED = "planned"
    NO_CHANGES = "no_changes"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"
    ERRORED = "errored"


def list_runs(
    workspace: MaybeWorkspace = None,
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="Only these; may be repeated.", show_default=False)
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first.

    Examples:
      sluice runs --workspace prod-network

      sluice runs --status awaiting_approval --status policy_blocked
    """
    from app.cli.output import print_json
    from app.cli.report import print_runs, run_document
    from app.client import calls

    with connect() as client:
        size = min(limit, calls.MAX_PAGE)
        found = list(
            client.items(
                lambda cursor: calls.list_runs(workspace, status or (), limit=size, cursor=cursor), limit=limit
            )
        )
    if as_json:
        print_json({"items": [run_document(run) for run in found]})
    else:
        print_runs(found)


def show_run(
    run_id: RunId,
    plan: Annotated[bool, typer.Option("--plan", help="Also list each resource that changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run: what it changes, what policies say, who decided, and what can be done now.

    Example: sluice run show run-01k… --plan
    """
    from app.cli.following import estimate_of, spoken
    from app.cli.output import console, print_json
    from app.cli.report import print_next_steps, print_run, run_document
    from app.client import calls

    with connect() as client:
        run = client.send(calls.get_run(run_id))
        view = client.send(calls.get_plan(run_id)) if plan else None
        waits = run.status in {"awaiting_approval", "approved"}
        estimate = estimate_of(client, run_id) if waits else None
        if as_json:
            beside = {"plan": view, "estimate": estimate}
            print_json({**run_document(run), **{name: found for name, found in beside.items() if found is not None}})
            return
        print_run(client, run)
        if estimate is not None:
            applies = len(estimate["applies"])
            console().print(
                f"  Its apply is likely to take {spoken(estimate['seconds'])} "
                f"(from the last {'apply' if applies == 1 else f'{applies} applies'} of the workspace)."
            )
        if view is not None:
            _print_plan(view)
        _print_decisions(run)
        print_next_steps(run)


_ACTIONS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": (f"{MINUS}/+", "magenta"),
    "delete": (MINUS, "red"),
    "move": ("→", "cyan"),
    "forget": ("x", "cyan"),
    "import": ("←", "cyan"),
    "read": ("≤", "dim"),
}


def _print_plan(view: dict[str, Any]) -> None:
    from app.cli.output import clean, console, print_table, styled

    for line in _state_change(view.get("state_change") or {}):
        console().print(clean(f"  {line}"))
    rows = []
    for item in view.get("resources", []):
        action = str(item.get("action"))
        if action == "no-op":
            continue
        sign, style = _ACTIONS.get(action, ("?", ""))
        changed = [str(attribute.get("path")) for attribute in item.get("attributes", [])]
        forced = [str(a.get("path")) for a in item.get("attributes", []) if a.get("forces_replacement")]
        what = (
            f"replaced because of {', '.join(forced)}"
            if forced
            else ", ".join(changed[:8])
            if action == "update"
            else ""
        )
        rows.append((styled(f"{sign} {action}", style), item.get("address"), what))
    print_table(("Action", "Resource", "What"), rows, "The plan changes no resource.")


def _state_change(change: dict[str, Any]) -> list[str]:
    """Return in words what a rollback or a migration does to the state."""
    before, after = change.get("from") or {}, change.get("to") or {}
    if change.get("kind") == "rollback":
        return [
            (
                f"From state version {before['number']} (serial {before['serial']}) back to {after['number']} (serial "
                f"{after['serial']}), as a new version. Only the state changes."
            )
        ]
    if change.get("kind") == "migration":
        places = [_place(side["state_backend"], side["state_backend_settings"]) for side in (before, after)]
        copy = "" if after["is_empty"] else f", which holds a copy of it with serial {after['serial']}"
        return [
            f"Serial {before['serial']}, {before['resource_count']} resources, lineage {before['lineage']}",
            f"from {places[0]}",
            f"to   {places[1]}{copy}",
        ]
    return []


def _place(backend: str, settings: dict[str, Any]) -> str:
    named = " ".join(f"{name}={value}" for name, value in sorted(settings.items()))
    return f"{backend} {named}".strip()


WAITING = frozenset({"awaiting_approval", "policy_blocked"})


def _print_decisions(run: "Run") -> None:
    from app.cli.output import clean, console, moment

    detail = run.document.get("approvals_detail") or {}
    if run.status in WAITING:
        # The first of them is the number, which is said with the next steps.
        for text in detail.get("because", [])[1:]:
            console().print(clean(f"  {text[:1].upper()}{text[1:]}."))
    for decision in detail.get("decisions", []):
        void = f"; void: {decision['void_reason']}" if decision.get("voided_at") else ""
        if run.status in WAITING and decision.get("expires_at"):
            void = f"; counts until {moment(decision['expires_at'])}"
        comment = f": {decision['comment']}" if decision.get("comment") else ""
        who = f"{decision['decision']} by {decision['actor']['name']} at {moment(decision['created_at'])}"
        console().print(clean(f"  {who}{comment}{void}"))


def logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    after: Annotated[int, typer.Option("--after", help="First offset of RUN to show.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Print a run's log; of a plan that is being applied, its apply's too.

    With --follow it goes on until the run has ended, also while the plan waits for approval. --json prints one document
    with every record, its offset, time, kind and data; with --follow once the run has ended.

    Examples:
      sluice logs -f run-01k…

      sluice logs run-01k… --json | jq '.records[] | select(.data.type == "diagnostic")'
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        run = client.send(calls.get_run(run_id))
        shown = [_stream(client, run.id, after, follow=follow, as_json=as_json)]
        run = client.send(calls.get_run(run_id))
        if run.child_run_id is not None:
            shown.append(_stream(client, run.child_run_id, 0, follow=follow, as_json=as_json))
        if as_json:
            applied = {"apply": shown[1]} if len(shown) > 1 else {}
            print_json({**shown[0], **applied})


def _stream(client: "SluiceClient", run_id: str, after: int, *, follow: bool, as_json: bool) -> dict[str, Any]:
    """Print or gather a stream's records; returns them with the next offset when ``as_json``."""
    from app.cli.following import print_record
    from app.cli.output import console
    from app.client import calls

    out = console()
    kept: list[Record] = []
    cursor, closed = after, False

    def take(records: "list[Record]") -> None:
        for record in records:
            if as_json:
                kept.append(record)
            else:
                print_record(out, record)

    if follow:
        for page in client.watch(run_id, after):
            take(page.records)
            cursor, closed = page.next, page.closed
            if not page.records and not closed and _is_followed_by_apply(client, run_id):
                break
    else:
        while True:
            page = client.send(calls.progress(run_id, after=cursor))
            take(page.records)
            cursor, closed = page.next, page.closed
            if not page.records:
                break
    return {
        "run_id": run_id,
        "records": [record.model_dump(mode="json") for record in kept],
        "next": cursor,
        "closed": closed,
    }


def _is_followed_by_apply(client: "SluiceClient", run_id: str) -> bool:
    """Whether a plan has been approved, so that what happens next is in its apply's log."""
    from app.client import calls

    return client.send(calls.get_run(run_id)).status == "approved"


run_commands = group("Runs, one at a time. Their logs: `sluice logs`.")
register(run_commands, "show", show_run)
register(run_commands, "list", list_runs, hidden=True)
