"""`sluice approve`, `reject`, `revoke`, `discard`, `cancel`, `apply`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.access import connect
from app.cli.options import AsJson, Quiet, RunId, Timeout
from app.cli.program import CHANGES, DONE, FAILED, with_remedy
from app.client.errors import ApiError, ClientError

if TYPE_CHECKING:
    from app.client import Run, SluiceClient

Comment = Annotated[str, typer.Option("--comment", "-m", help="Why, for the record.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why, for the record.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask on a terminal.")]
Fingerprint = Annotated[
    str | None,
    typer.Option(
        "--fingerprint",
        help="Fingerprint of the plan that was read; refused when it is another now. Default: as it is shown.",
        show_default=False,
    ),
]
WaitForApply = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait for the apply; exit 0 when it is applied, 1 otherwise.")
]


def approve(
    run_id: RunId,
    comment: Comment = "",
    yes: Yes = False,
    fingerprint: Fingerprint = None,
    wait: WaitForApply = False,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Approve exactly this plan. The approval that makes the quorum starts the apply.

    On a terminal it shows what will change and asks. Only people approve; where the workspace wants two pairs of eyes,
    not the one who asked for the plan.

    With --wait it follows the apply: exit 0 when applied, 2 when further approvals are needed, 1 otherwise.

    Examples:
      sluice approve run-01k… --comment "checked with the DBA"

      sluice approve run-01k… --yes --wait
    """
    from app.cli.following import wait_for_apply
    from app.client import calls

    with connect() as client:
        run = client.send(calls.get_run(run_id))
        if not yes and not as_json:
            ask(client, run, "Approve exactly this plan?")
        signed = fingerprint or (run.fingerprint or {}).get("digest")
        run = _decide(client, run_id, "approve", comment, signed)
        code = DONE
        if wait and run.child_run_id is not None:
            run = wait_for_apply(client, run, run.child_run_id, quiet=quiet, timeout_seconds=timeout, as_json=as_json)
            code = DONE if run.status == "applied" else FAILED
        elif wait:
            code = CHANGES
        show(client, run, as_json=as_json)
        raise typer.Exit(code)


def reject(run_id: RunId, comment: Comment = "", as_json: AsJson = False) -> None:
    """Reject a plan. While a person's newest decision is a reject there is no quorum.

    Example: sluice reject run-01k… --comment "not in the change window"
    """
    with connect() as client:
        show(client, _decide(client, run_id, "reject", comment, None), as_json=as_json)


def revoke(run_id: RunId, comment: Comment = "", as_json: AsJson = False) -> None:
    """Take your own decision back, while the apply has not started.

    Example: sluice revoke run-01k…
    """
    with connect() as client:
        show(client, _decide(client, run_id, "revoke", comment, None), as_json=as_json)


def discard(run_id: RunId, reason: Reason = "", as_json: AsJson = False) -> None:
    """Drop a plan that waits at the gate, or an approved one whose apply has not started.

    Example: sluice discard run-01k… --reason "superseded by the next commit"
    """
    _stop(run_id, "discard", reason, as_json=as_json)


def cancel(run_id: RunId, reason: Reason = "", as_json: AsJson = False) -> None:
    """Cancel what is queued, or interrupt what runs; of an approved plan its apply. The state that is left is kept.

    Example: sluice cancel run-01k…
    """
    _stop(run_id, "cancel", reason, as_json=as_json)


def apply(
    run_id: RunId,
    wait: WaitForApply = False,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Return the apply of an approved plan; asking again gives the same one. RUN is the plan, or its apply.

    Before the plan is approved this exits 1 and says what to do. With --wait it follows the apply: exit 0 when it is
    applied, 1 otherwise, as for an apply that has ended.

    Example: sluice apply run-01k… --wait
    """
    from app.cli.following import wait_for_apply
    from app.cli.report import approval_remedy
    from app.client import calls, ended

    with connect() as client:
        asked = client.send(calls.get_run(run_id))
        plan_id = asked.parent_run_id or run_id
        try:
            run = client.send(calls.apply_run(plan_id))
        except ApiError as error:
            raise _helped(error, approval_remedy(error, plan_id)) from None
        if wait:
            run = wait_for_apply(client, run, run.id, quiet=quiet, timeout_seconds=timeout, as_json=as_json)
        code = FAILED if (wait or ended(run)) and run.status != "applied" else DONE
        show(client, run, as_json=as_json)
        raise typer.Exit(code)


def _helped(error: ClientError, remedy: str | None) -> ClientError:
    return with_remedy(error, remedy) if remedy else error


def _decide(client: "SluiceClient", run_id: str, decision: str, comment: str, fingerprint: str | None) -> "Run":
    from app.cli.report import approval_remedy
    from app.client import calls

    try:
        return client.send(calls.decide(run_id, decision, comment=comment, fingerprint=fingerprint))
    except ApiError as error:
        raise _helped(error, approval_remedy(error, run_id)) from None


def _stop(run_id: str, how: str, reason: str, *, as_json: bool) -> None:
    from app.client import calls

    with connect() as client:
        show(client, client.send(calls.stop(run_id, how, reason=reason)), as_json=as_json)


def ask(client: "SluiceClient", run: "Run", question: str) -> None:
    """Show the run and ask, where a person is at both ends. Raises ``typer.Exit`` for a no."""
    from app.cli.report import print_run

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    print_run(client, run)
    if not typer.confirm(question):
        typer.echo("sluice: nothing was done.", err=True)
        raise typer.Exit(FAILED)


def show(client: "SluiceClient", run: "Run", *, as_json: bool) -> None:
    """Print a run that was decided on, and what can be done now."""
    from app.cli.output import print_json
    from app.cli.report import print_next_steps, print_run, run_document

    if as_json:
        print_json(run_document(run))
        return
    print_run(client, run)
    print_next_steps(run)
