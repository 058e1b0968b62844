"""`sluice override`."""

from typing import Annotated

import typer

from app.cli.access import connect
from app.cli.options import AsJson, RunId


def override(
    run_id: RunId,
    reason: Annotated[
        str, typer.Option("--reason", "-m", help="Why it may go on; shown beside the run for ever.", show_default=False)
    ] = "",
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="When it ends: 30m, 8h, 2d. Default: as the server is set.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask on a terminal.")] = False,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint",
            help="Fingerprint of the plan that was read; refused when it is another now. Default: as it is shown.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a plan wait for approval although soft-mandatory policies deny it, until the override expires.

    It takes a second person, never the one who asked for the plan, and a reason. Approvals are needed all the same.
    When it expires, a policy moves, or you lose the right, the plan is blocked again and its approvals are void.

    Example: sluice override run-01k… --reason "the bucket moves on Monday, SEC-214" --expires 8h
    """
    from app.cli.deciding import ask, show
    from app.cli.durations import seconds_of
    from app.client import calls

    seconds = seconds_of(expires, "--expires") if expires is not None else None
    with connect() as client:
        run = client.send(calls.get_run(run_id))
        if not yes and not as_json:
            ask(client, run, "Override the policies that deny this plan?")
        signed = fingerprint or (run.fingerprint or {}).get("digest")
        call = calls.override(run_id, reason=reason, expires_in_seconds=seconds, fingerprint=signed)
        show(client, client.send(call), as_json=as_json)
