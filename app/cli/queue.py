"""`sluice queue show|limit|workers`."""

from typing import Annotated, Any

import typer

from app.cli.access import connect
from app.cli.options import AsJson
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group("The queue: what waits and runs, the organization's limit, the workers.")


def show(as_json: AsJson = False) -> None:
    """Show how many runs wait and execute, the limit, and what the workers can do.

    Example: sluice queue show
    """
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get("/terraform/queue"))
    _print(found, as_json=as_json)


def limit(
    most: Annotated[
        str,
        typer.Argument(
            metavar="N", help="Runs at once; `none` for no limit, `default` for the installation's.", show_default=False
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Limit how many runs of the organization execute at once, over all workers. What runs already goes on.

    Examples:
      sluice queue limit 10

      sluice queue limit default
    """
    from app.client import calls

    words: dict[str, int | None] = {"none": 0, "default": None}
    if most not in words and not (most.isdecimal() and int(most) > 0):
        raise LocalProblem(f"{most!r} is no limit: give a number above 0, `none` or `default`.", "limit_invalid")
    with connect() as client:
        found = client.send(calls.set_queue_limit(words[most] if most in words else int(most)))
    _print(found, as_json=as_json)


def workers(as_json: AsJson = False) -> None:
    """List the workers, with how much of each is taken.

    Example: sluice queue workers
    """
    from app.cli.output import moment, print_json, print_table
    from app.client import calls

    with connect() as client:
        found = client.send(calls.get("/terraform/workers"))
    if as_json:
        print_json({"items": found})
        return
    rows = (
        (
            item["name"],
            item["host"],
            f"{item['busy']} of {item['permits']}" if item["permits"] else "takes no runs",
            "alive" if item["is_alive"] else "silent",
            moment(item["seen_at"]),
            moment(item["started_at"]),
        )
        for item in found
    )
    print_table(("Worker", "Host", "Busy", "State", "Heard of", "Started"), rows, "No worker was heard of.")


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    from app.cli.output import print_fields, print_json

    if as_json:
        print_json(found)
        return
    able = found["workers"]
    of = "1 worker" if able["count"] == 1 else f"{able['count']} workers"
    whose = "of the installation" if found["concurrency"] is None else "of its own"
    print_fields(
        (
            ("Waiting", str(found["queued"])),
            ("Executing", str(found["executing"])),
            ("At most", f"{found['limit']} ({whose})" if found["limit"] is not None else f"any number ({whose})"),
            ("Workers", f"{able['busy']} of {able['permits']} places taken, on {of}"),
        )
    )


register(commands, "show", show)
register(commands, "limit", limit)
register(commands, "workers", workers)
