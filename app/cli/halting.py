"""`sluice halt`, `sluice halts`, `sluice resume`; drills are in `drilling`."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.access import connect
from app.cli.options import AsJson, MaybeWorkspace
from app.cli.polling import wait_until
from app.cli.program import DONE, FAILED
from app.client.errors import ClientError, LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient

Scope = Literal["everything", "organization", "workspace"]
ScopeOption = Annotated[
    Scope | None,
    typer.Option("--scope", help="Default: organization; workspace with --workspace.", show_default=False),
]
WORDS = {"pending": "asking", "answered": "answered", "failed": "failed", "timed_out": "not known"}
NO_REASON = "no reason given"
_DEAD_BY_SECONDS = 120.0


def _scope(scope: Scope | None, workspace: str | None) -> str:
    found = scope or ("workspace" if workspace else "organization")
    if workspace is None and found == "workspace":
        raise LocalProblem("--scope workspace needs --workspace NAME.", "usage")
    if workspace is not None and found != "workspace":
        raise LocalProblem(
            f"--workspace means that one alone, and --scope {found} contradicts it: leave one of them out.", "usage"
        )
    return found


def _why(reason: str | None, question: str, *, as_json: bool) -> str:
    """Return the reason as given, else as answered at the terminal. Raises ``LocalProblem`` when it is empty."""
    if reason is None and not as_json and sys.stdin.isatty():
        try:
            reason = str(typer.prompt(question, default=NO_REASON, err=True))
        except typer.Abort:
            typer.echo("\nsluice: nothing was done.", err=True)
            raise
    if reason is None:
        return NO_REASON
    if not reason.strip():
        raise LocalProblem("--reason is empty: say why, or leave it out.", "usage")
    return reason


def halt(
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", "-m", help="Why, for everyone who looks; asked for on a terminal.", show_default=False
        ),
    ] = None,
    scope: ScopeOption = None,
    workspace: MaybeWorkspace = None,
    latch: Annotated[
        bool, typer.Option("--latch/--no-latch", help="--no-latch stops what is there, and lets new runs start.")
    ] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every process is proven dead.")] = False,
    is_drill: Annotated[
        bool, typer.Option("--drill", help="Halt nothing but the canary, or --workspace: prove that the switch works.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop everything: nothing new starts, what waits is cancelled, what runs is interrupted, then killed.

    Of the whole organization, unless --workspace or --scope says otherwise. It stands until `sluice resume`. Every
    state that was written is kept. Sending it again is harmless. With --wait: exit 0 once every process is dead, 1
    when one is not after two minutes.

    Examples:
      sluice halt --reason "wrong account" --wait

      sluice halt --workspace prod-network --reason "provider outage"

      sluice halt --drill
    """
    if is_drill:
        from app.cli.drilling import drill

        if scope not in {None, "workspace"} or not latch or reason is not None:
            raise LocalProblem(
                "--drill takes --workspace and --json only: it halts one workspace, waits, and resumes it.", "usage"
            )
        raise typer.Exit(drill(workspace, as_json=as_json))
    from app.cli.output import print_json
    from app.client import calls

    stops = _scope(scope, workspace)
    why = _why(reason, "Why, for everyone who looks", as_json=as_json)
    call = calls.halt(why, scope=stops, workspace=workspace, latch=latch)
    with connect() as client:
        raised = client.send(call, patience_seconds=30)
        code = DONE
        if wait:
            raised, code = _wait_dead(client, raised)
    if as_json:
        print_json(raised)
    else:
        _print([raised], {raised["scope_id"]: workspace} if workspace is not None else {})
    raise typer.Exit(code)


def _wait_dead(client: "SluiceClient", raised: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Wait until no run of the halt is dying; at most two minutes, well beyond the grace period."""
    from app.client import calls

    raised = wait_until(
        client,
        raised,
        calls.get_halt(raised["id"]),
        lambda halt: not halt["runs"]["dying"],
        every_seconds=0.5,
        for_seconds=_DEAD_BY_SECONDS,
        patience_seconds=60,
    )
    return raised, FAILED if raised["runs"]["dying"] else DONE


def halts(as_json: AsJson = False) -> None:
    """Show the halts that stand, and for each of their runs how its death is known.

    Example: sluice halts
    """
    from app.cli.output import print_json, say
    from app.client import calls

    with connect() as client:
        found = client.send(calls.standing_halts())
        shown = [*found["active"], *found["ending"]]
        names = {} if as_json else _names(client, shown)
    if as_json:
        print_json(found)
    else:
        _print(shown, names)
        if not found["active"]:
            say("No halt stands: runs may start.")


def _names(client: "SluiceClient", found: list[dict[str, Any]]) -> dict[str, str]:
    """Return the names of the workspaces that are halted by themselves, by id; whom the token may not see, by none."""
    from app.client import calls

    names: dict[str, str] = {}
    for item in found:
        if item["scope"] == "workspace":
            with suppress(ClientError):
                names[item["scope_id"]] = client.send(calls.get_workspace(item["scope_id"])).name
    return names


def resume(
    reason: Annotated[
        str | None,
        typer.Option("--reason", "-m", help="Why it is safe again; asked for on a terminal.", show_default=False),
    ] = None,
    scope: ScopeOption = None,
    workspace: MaybeWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Lift a halt. Runs that it stopped stay cancelled: plan again.

    Name what the halt named: a workspace's is lifted with --workspace, one of everything with --scope everything.

    Examples:
      sluice resume --reason "account corrected"

      sluice resume --workspace prod-network --reason "provider is back"
    """
    from app.cli.output import print_json
    from app.client import calls

    lifts = _scope(scope, workspace)
    why = _why(reason, "Why it is safe again", as_json=as_json)
    call = calls.resume(why, scope=lifts, workspace=workspace)
    with connect() as client:
        lifted = client.send(call)
    if as_json:
        print_json(lifted)
    else:
        where = f"workspace {workspace}" if workspace is not None else lifted["scope"]
        typer.echo(f"Lifted the halt {lifted['id']} ({where}). New runs may start.")
        dying = lifted["runs"]["dying"]
        if dying:
            typer.echo(f"{dying} of its runs {'is' if dying == 1 else 'are'} still dying:")
            _print_runs([run for run in lifted["runs"]["items"] if run["state"] == "dying"])


def _print(found: list[dict[str, Any]], names: dict[str, str]) -> None:
    from app.cli.output import clean, console, moment, print_table, styled

    out = console()
    for item in found:
        runs = item["runs"]
        before = runs.get("had_ended")
        stands = item["latch"] and not item.get("resumed_at")
        where = item["scope"]
        if where == "workspace":
            where = f"workspace {clean(names.get(item['scope_id'], item['scope_id']))}"
        out.print(
            styled(f"{'HALTED' if stands else 'Stopped'}: {where}", "bold red"),
            f"by {clean(str(item['actor'].get('name')))} at {moment(item['created_at'])}: {clean(item['reason'])}",
        )
        out.print(
            f"  {runs['marked']} {'run' if runs['marked'] == 1 else 'runs'} stopped: {runs['dying']} dying, "
            f"{runs['dead']} dead{f' ({before} before the halt)' if before else ''}, "
            + (f"{runs['presumed']} presumed dead, " if runs["presumed"] else "")
            + f"{runs['never_started']} never started."
        )
        if runs["dying"]:
            out.print(f"  All dead by {moment(item['dead_by'])}.")
        if runs["items"]:
            _print_runs(runs["items"])
        if item["fanout"]:
            rows = ((call["name"], WORDS[call["status"]], call["detail"]) for call in item["fanout"])
            print_table(("Sibling system", "Answer", ""), rows, "")
            if any(call["status"] == "pending" for call in item["fanout"]):
                out.print("  Some are still being asked: `sluice halts` shows what they answer.")


def _print_runs(runs: list[dict[str, Any]]) -> None:
    from app.cli.output import print_table

    rows = (
        (run["run_id"], run["kind"], run["state"], (run.get("proof") or {}).get("kind"), _kept(run), run["lock"])
        for run in runs
    )
    print_table(("Run", "Kind", "State", "Proof of death", "State written", "Lock"), rows, "")


def _kept(run: dict[str, Any]) -> str | None:
    left = run.get("state_written")
    if left is None:
        return None
    return f"{left['id']} (quarantine)" if left["is_quarantined"] else f"{left['id']} (serial {left['serial']})"
