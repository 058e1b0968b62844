"""`sluice experiment create|list|test|tests`."""

from typing import Annotated

import typer

from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit
from app.cli.program import group, register

commands = group("Experiments: series of runs that belong together (`sluice plan --experiment-id … --test-id …`).")
Experiment = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Id of the experiment, exp-….", show_default=False)
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name for people.", show_default=False)]


def create(
    name: Name,
    description: Annotated[str, typer.Option("--description", help="What it is about.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create an experiment.

    Example: sluice experiment create "spot instances"
    """
    _create("/terraform/experiments", {"name": name, "description": description}, as_json=as_json)


def add_test(experiment: Experiment, name: Name, as_json: AsJson = False) -> None:
    """Create a test of an experiment.

    Example: sluice experiment test exp-01k… "eu-central-1"
    """
    _create(f"/terraform/experiments/{experiment}/tests", {"name": name}, as_json=as_json)


def _create(path: str, body: dict[str, str], *, as_json: bool) -> None:
    from app.cli.output import clean, print_json
    from app.client import calls

    with connect() as client:
        made = client.send(calls.post(path, body))
    if as_json:
        print_json(made)
    else:
        typer.echo(clean(f"Made {made['name']} ({made['id']})."))


def list_experiments(limit: Limit = 100, as_json: AsJson = False) -> None:
    """List experiments.

    Example: sluice experiment list
    """
    _list("/terraform/experiments", limit, "No experiments.", as_json=as_json)


def list_tests(experiment: Experiment, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List an experiment's tests.

    Example: sluice experiment tests exp-01k…
    """
    _list(f"/terraform/experiments/{experiment}/tests", limit, "No tests.", as_json=as_json)


def _list(path: str, limit: int, empty: str, *, as_json: bool) -> None:
    from app.cli.output import moment
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing(path, limit=size, cursor=cursor),
        lambda item: (item["id"], item["name"], moment(item["created_at"]), item.get("description", "")),
        columns=("ID", "Name", "Made", "Description"),
        empty=empty,
        limit=limit,
        as_json=as_json,
    )


register(commands, "create", create)
register(commands, "list", list_experiments)
register(commands, "test", add_test)
register(commands, "tests", list_tests)
