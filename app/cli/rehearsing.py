"""`sluice policy rehearse|try|input`: what a policy would do, before it is attached."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.access import connect
from app.cli.options import AsJson, RunId
from app.cli.policy_files import PolicyName, draft_or_set, set_of_the_server
from app.cli.polling import wait_until
from app.cli.program import BLOCKED, FAILED
from app.client.errors import ApiError, LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient
    from app.client.models import Evaluation, Rehearsal, RehearsalResult

Level = Literal["advisory", "soft-mandatory", "hard-mandatory"]
POLL_SECONDS = 0.3
_WORDS = {
    "newly_blocks": ("would block", "bold red"),
    "blocks": ("blocks, as then", "red"),
    "warns": ("warns", "yellow"),
    "passes": ("passes", "green"),
    "removed": ("not kept", "dim"),
}


def rehearse(
    policy: PolicyName,
    workspace: Annotated[
        list[str] | None,
        typer.Option("--workspace", "-w", help="Plans of this workspace; may be repeated.", show_default=False),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="Plans of the workspaces with this tag.", show_default=False)
    ] = None,
    last: Annotated[int, typer.Option("--last", help="How many plans, newest first.", min=1, max=500)] = 100,
    level: Annotated[Level, typer.Option("--level", help="What a failure would do.")] = "hard-mandatory",
    show_all: Annotated[bool, typer.Option("--all", help="List plans that it passes, too.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results.")] = True,
    as_json: AsJson = False,
) -> None:
    """Evaluate a policy over past plans and show what it would have blocked. Nothing is changed by it.

    Without --workspace and --tag the plans of the whole organization are taken. Exits 3 when it would block any plan,
    0 when none. Ctrl-C cancels the rehearsal. policies/NAME is the server's; a directory of that name here is
    ./policies/NAME.

    Examples:
      sluice policy rehearse ./blast_radius --workspace prod-network --last 50

      sluice policy rehearse policies/required_tags --tag env:prod --level soft-mandatory
    """
    from app.client import rehearsal_calls

    call = rehearsal_calls.request_rehearsal(
        **draft_or_set(policy), enforcement_level=level, workspaces=workspace or [], tag=tag, last=last
    )
    with connect() as client:
        with set_of_the_server(policy):
            asked = client.send(call)
        if not wait:
            _say_asked(asked, as_json=as_json)
            return
        done = _wait(client, asked, quiet=as_json)
        found = list(client.items(lambda cursor: rehearsal_calls.rehearsal_results(done.id, cursor=cursor)))
    _show(done, found, show_all=show_all, as_json=as_json)
    if done.status != "finished":
        raise typer.Exit(FAILED)
    if done.would_block:
        raise typer.Exit(BLOCKED)


def _say_asked(asked: "Rehearsal", *, as_json: bool) -> None:
    from app.cli.output import print_json

    if as_json:
        print_json(asked.document)
    else:
        typer.echo(f"{asked.id}: {asked.total} plans are rehearsed in the background.")


def _wait(client: "SluiceClient", asked: "Rehearsal", *, quiet: bool) -> "Rehearsal":
    from app.client import rehearsal_calls

    try:
        with _bar(asked.total, quiet=quiet) as advance:
            return wait_until(
                client,
                asked,
                rehearsal_calls.get_rehearsal(asked.id),
                lambda rehearsal: rehearsal.is_over,
                every_seconds=POLL_SECONDS,
                patience_seconds=300.0,
                on_look=advance,
            )
    except KeyboardInterrupt:
        _cancel(client, asked.id)
        raise


def _cancel(client: "SluiceClient", rehearsal_id: str) -> None:
    from app.cli.output import say
    from app.client import rehearsal_calls

    try:
        client.send(rehearsal_calls.cancel_rehearsal(rehearsal_id))
        say(f"Cancelled {rehearsal_id}.")
    except ApiError as error:
        if error.code != "rehearsal_over":
            raise


@contextmanager
def _bar(total: int, *, quiet: bool) -> Iterator[Any]:
    """Show a bar on a terminal; give what moves it."""
    from app.cli.output import console

    out = console(stderr=True)
    if quiet or not out.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task("queued", total=max(1, total))

        def advance(found: "Rehearsal") -> None:
            words = f"{found.status} · {found.newly_blocked} newly blocked" if found.done else found.status
            progress.update(task, description=words, completed=found.done)

        yield advance


def _show(done: "Rehearsal", found: "list[RehearsalResult]", *, show_all: bool, as_json: bool) -> None:
    from app.cli.output import print_json, print_table, say, styled

    if as_json:
        print_json({**done.document, "results": [item.document for item in found]})
        return
    shown = [item for item in found if show_all or item.effect not in {"passes", "removed"}]
    rows = (
        (
            item.run_id,
            item.workspace.name,
            f"{item.planned_at.astimezone():%Y-%m-%d %H:%M}",
            (item.verdict_then or "").replace("_", " ") or None,
            styled(*_WORDS.get(item.effect, (item.effect, ""))),
            _first(item),
        )
        for item in shown
    )
    print_table(("Run", "Workspace", "Planned", "Then", "Now", "Why"), rows, "Nothing to show.")
    say(_summary(done))
    if done.status != "finished":
        say(f"The rehearsal is {done.status}: {done.status_reason}")


def _first(item: "RehearsalResult") -> str | None:
    if item.error is not None:
        return f"can't be evaluated: {item.error}"
    told = [finding for finding in item.findings if finding.kind == "deny"] or item.findings
    if not told:
        return None
    words = f"{told[0].address}: {told[0].message}" if told[0].address else told[0].message
    return words if len(told) == 1 else f"{words} (and {len(told) - 1} more)"


def _summary(done: "Rehearsal") -> str:
    plans = "1 plan" if done.total == 1 else f"{done.total} plans"
    parts = [
        f"{done.newly_blocked} newly blocked",
        f"{done.would_block} blocked in all",
        f"{done.would_warn} warned of",
    ]
    parts += [f"{done.would_pass} passed"]
    if done.not_evaluable:
        parts.append(f"{done.not_evaluable} could not be evaluated")
    if done.removed:
        parts.append(f"{done.removed} not kept any more")
    took = f" {done.seconds:.1f} s, {done.plans_per_second} plans a second" if done.plans_per_second else ""
    engine = f" ({done.policy_engine})" if done.policy_engine else ""
    return f"{plans}: {', '.join(parts)}.{took}{engine}{'.' if took else ''}"


def try_policy(
    policy: PolicyName,
    run: Annotated[
        str | None, typer.Option("--run", help="Run whose stored plan is the input.", show_default=False)
    ] = None,
    input_file: Annotated[
        Path | None, typer.Option("--input", help="File with an input document (JSON).", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a policy over one input. Exits 3 when it denies or can't be evaluated. Nothing is changed by it.

    policies/NAME is the server's; a directory of that name here is ./policies/NAME.

    Examples:
      sluice policy try ./blast_radius --run run-01k…

      sluice policy try policies/required_tags --run run-01k…

      sluice policy try policy.rego --input input.json
    """
    from app.cli.output import print_json
    from app.client import rehearsal_calls

    if (run is None) == (input_file is None):
        raise LocalProblem("Name a run with --run, or a file with --input.", "usage")
    document = _document(input_file) if input_file is not None else None
    call = rehearsal_calls.evaluate_policy(**draft_or_set(policy), run_id=run, input_document=document)
    with connect() as client, set_of_the_server(policy):
        said = client.send(call)
    if as_json:
        print_json(said.document)
    else:
        _show_evaluation(said)
    if said.outcome != "passed":
        raise typer.Exit(BLOCKED)


def _document(file: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LocalProblem(f"{file} can't be read: {error.strerror}.", "input_unreadable") from None
    except ValueError as error:
        raise LocalProblem(f"{file} is not JSON: {error}.", "input_unreadable") from None
    if not isinstance(found, dict):
        raise LocalProblem(f"{file} must hold a JSON object.", "input_unreadable")
    return found


def _show_evaluation(said: "Evaluation") -> None:
    from app.cli.output import print_table, say

    for problem in said.problems:
        line = f":{problem['line']}" if problem["line"] is not None else ""
        where = f"{problem['file']}{line}: " if problem["file"] else ""
        say(f"{where}{problem['message']}")
    if said.error is None:
        rows = ((item.kind, item.address, item.message, item.remedy) for item in said.findings)
        print_table(("Kind", "Resource", "Message", "Remedy"), rows, "Nothing is denied, and nothing warned of.")
    word = {"passed": "passes", "failed": "is denied"}.get(said.outcome, "can't be evaluated, so it would be blocked")
    say(f"The plan {word}. {said.duration_ms} ms ({said.policy_engine}).")


def policy_input(run: RunId, as_json: AsJson = False) -> None:
    """Print the document that policies see of a run's plan, sensitive values replaced.

    Example: sluice policy input run-01k… > input.json
    """
    import json

    from app.cli.output import print_json
    from app.client import rehearsal_calls

    with connect() as client:
        found = client.send(rehearsal_calls.policy_input(run))
    if as_json:
        print_json(found)
    else:
        typer.echo(json.dumps(found, indent=2))
