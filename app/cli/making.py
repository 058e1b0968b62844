"""Finding the workspace that a command is about, or making it with its stack."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.program import with_remedy
from app.client.errors import ApiError, LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient, Workspace

StackName = Annotated[str | None, typer.Option("--stack", help="Stack of a new workspace; default: its own name.")]
Create = Annotated[bool, typer.Option("--create", help="Make workspace and stack when they are new.")]


def find_workspace(client: "SluiceClient", name: str, *, stack: str | None, create: bool) -> "Workspace | None":
    """Return the workspace; None when it is new and may be made."""
    from app.client import calls

    try:
        found = client.send(calls.get_workspace(name))
    except ApiError as error:
        if error.code != "workspace_not_found":
            raise
        if create:
            return None
        raise with_remedy(error, "Add --create to make it now, or see `sluice workspace list`.") from None
    if stack is not None and stack not in {found.stack.name, found.stack.id}:
        raise LocalProblem(
            f"Workspace {found.name} belongs to the stack {found.stack.name}, not to {stack}. Leave --stack out, or "
            "name another workspace.",
            "stack_mismatch",
        )
    return found


def make_workspace(client: "SluiceClient", name: str, *, stack: str | None) -> "Workspace":
    """Make the workspace, and its stack when that is new; what another made meanwhile is taken."""
    from app.cli.output import say
    from app.client import calls

    stack = stack or name
    try:
        client.send(calls.get_stack(stack))
    except ApiError as error:
        if error.code != "stack_not_found":
            raise
        try:
            client.send(calls.create_stack(stack))
            say(f"Made the stack {stack}.")
        except ApiError as taken:
            if taken.code != "stack_exists":
                raise
    try:
        made = client.send(calls.create_workspace(name, stack))
    except ApiError as taken:
        if taken.code != "workspace_exists":
            raise
        return client.send(calls.get_workspace(name))
    say(f"Made the workspace {made.name} of the stack {made.stack.name}.")
    return made
