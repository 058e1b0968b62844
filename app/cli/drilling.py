"""`sluice halt --drill`: prove that the kill switch works, and say how long each step took."""

from typing import Any

from app.cli.access import connect
from app.cli.polling import wait_until
from app.cli.program import DONE, FAILED

_POLL_SECONDS = 0.5
_MOST_SECONDS = 900.0
WORDS = {
    "plan": "a run was started",
    "start": "its engine was at work",
    "halt": "its workspace was halted",
    "death": "its process is dead",
    "refusal": "starts are refused",
    "resume": "resumed",
}


def drill(workspace: str | None, *, as_json: bool) -> int:
    """Carry out a drill in the canary, or in ``workspace``; return 0 when it passed, 1 when a step failed."""
    from app.cli.output import print_json, say
    from app.client import calls

    with connect() as client:
        found = client.send(calls.begin_drill(workspace))
        say(f"Drill {found['id']} in {found['workspace_name']}: no other workspace is touched.")
        shown = 0

        def show(drill: dict[str, Any]) -> None:
            nonlocal shown
            _print_steps(drill["steps"][shown:])
            shown = len(drill["steps"])

        found = wait_until(
            client,
            found,
            calls.get_drill(found["id"]),
            lambda drill: drill["status"] != "running",
            every_seconds=_POLL_SECONDS,
            for_seconds=_MOST_SECONDS,
            patience_seconds=60,
            on_look=None if as_json else show,
        )
    if as_json:
        print_json(found)
    else:
        _print_end(found)
    return DONE if found["status"] == "passed" else FAILED


def _print_steps(steps: list[dict[str, Any]]) -> None:
    from app.cli.output import clean, console

    out = console()
    for step in steps:
        mark = "ok  " if step["status"] == "passed" else "FAIL"
        out.print(f"{mark} {step['seconds']:7.2f} s  {WORDS[step['name']]}: {clean(step['detail'])}")


def _print_end(found: dict[str, Any]) -> None:
    from app.cli.output import console

    out = console()
    if found["status"] == "passed":
        took = {step["name"]: step["seconds"] for step in found["steps"]}
        stopped = took["halt"] + took["death"]
        out.print(f"The switch works: from halt to proof of death {stopped:.2f} s, {found['seconds']:.2f} s in all.")
    elif found["status"] == "running":
        out.print("The drill has not come to its end; GET /terraform/halt/drills shows how it goes on.")
    else:
        out.print(f"The drill FAILED at the step {found['failed_step']}.")
