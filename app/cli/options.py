"""Options that several commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on standard output.")]
Workspace = Annotated[str, typer.Option("--workspace", "-w", help="Name or id of the workspace.", show_default=False)]
MaybeWorkspace = Annotated[
    str | None, typer.Option("--workspace", "-w", help="Name or id of a workspace.", show_default=False)
]
Limit = Annotated[int, typer.Option(help="How many at most.", min=1, max=100_000)]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, run-….", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Leave the log out while waiting.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", help="Seconds to wait at most; then exit 1, and the run goes on.", min=0, show_default=False
    ),
]
