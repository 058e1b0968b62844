"""`sluice queue show|limit|workers`."""

from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.options import AsJson
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group("The queue: how many runs wait and execute, the organization's limit, the workers.")


def show(as_json: AsJson = False) -> None:
    """Show how many runs wait and execute, the limit, and how busy the workers are.

    Which runs wait, and for what, says `sluice runs --status queued`.

    Example: sluice queue show
    """
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get("/terraform/queue"))
    _print(found, as_json=as_json)


def limit(
    most: Annotated[
        str | None,
        typer.Argument(
            metavar="N",
            help="Runs at once; `none` for no limit, `default` for the installation's. Without it the limit is shown.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or set how many runs of the organization execute at once, over all workers.

    Setting it is for admins (`organization:manage`). What runs already goes on.

    Examples:
      sluice queue limit

      sluice queue limit 10

      sluice queue limit default
    """
    from app.cli.output import print_fields, print_json
    from app.client import calls

    if most is None:
        call = calls.get("/terraform/queue")
    elif most == "default":
        call = calls.set_queue_limit(is_default=True)
    elif most == "none":
        call = calls.set_queue_limit(None)
    elif most.isdecimal() and int(most) > 0:
        call = calls.set_queue_limit(int(most))
    else:
        raise LocalProblem(f"{most!r} is no limit: give a number above 0, `none` or `default`.", "limit_invalid")
    with connect() as client:
        found = client.send(call)
    if as_json:
        print_json(found)
        return
    print_fields((("At most", _limit(found)), ("Executing", str(found["executing"]))))


def workers(as_json: AsJson = False) -> None:
    """List the workers, with how many runs each executes and may at once. For admins (`organization:manage`).

    Example: sluice queue workers
    """
    from app.cli.output import moment, print_json, print_table
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get("/terraform/workers"))["items"]
    if as_json:
        print_json({"items": found})
        return
    rows = (
        (
            item["name"],
            item["host"],
            f"{item['busy']} of {item['concurrency']}" if item["concurrency"] else "takes no runs",
            "alive" if item["is_alive"] else "silent",
            moment(item["seen_at"]),
            moment(item["started_at"]),
        )
        for item in found
    )
    print_table(("Worker", "Host", "Runs at once", "State", "Heard of", "Started"), rows, "No worker was heard of.")


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    from app.cli.output import print_fields, print_json

    if as_json:
        print_json(found)
        return
    able = found["workers"]
    of = "1 worker" if able["count"] == 1 else f"{able['count']} workers"
    print_fields(
        (
            ("Waiting", str(found["queued"])),
            ("Executing", str(found["executing"])),
            ("At most", _limit(found)),
            ("Workers", f"execute {able['busy']} of {able['concurrency']} runs at once, on {of}"),
        )
    )


def _limit(found: dict[str, Any]) -> str:
    most = found["effective_limit"]
    whose = "the installation's default" if found["is_default"] else "its own limit"
    return f"{'any number' if most is None else most} ({whose})"


register(commands, "show", show)
register(commands, "limit", limit)
register(commands, "workers", workers)
