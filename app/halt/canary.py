"""The canary: the workspace that drills are held in, made by the first one."""

from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.core.errors import NotFound
from app.core.permissions import Actor, Permission
from app.specs import service as specs
from app.specs.schemas import StackIn
from app.workspaces import service as workspaces
from app.workspaces.schemas import NewWorkspace, WorkspaceOut

NAME = "sluice-canary"
SLEEP_SECONDS = 300
_MAIN = f"""\
# Made by Sluice for `sluice halt --drill`: an apply that takes its time, so that there is something to stop.
resource "terraform_data" "canary" {{
  triggers_replace = [plantimestamp()]

  provisioner "local-exec" {{
    command = "sleep {SLEEP_SECONDS}"
  }}
}}
"""


def find_or_make(session: Session, actor: Actor) -> WorkspaceOut:
    """Return the organization's canary; the first time it is made, with a rule that applies without a person.

    Raises ``Forbidden`` when it has to be made by somebody who may not make such a workspace.
    """
    try:
        return workspaces.get(session, actor.organization_id, NAME)
    except NotFound:
        pass
    for permission in (Permission.STACKS_WRITE, Permission.WORKSPACES_WRITE, Permission.WORKSPACES_RULES):
        actor.require(permission)
    try:
        specs.get_stack(session, actor.organization_id, NAME)
    except NotFound:
        specs.create_stack(session, actor, StackIn(name=NAME, description="What `sluice halt --drill` applies."))
    wanted = NewWorkspace(
        name=NAME,
        stack=NAME,
        description="Drills of the kill switch are held here, and nowhere else.",
        tags=["canary"],
        auto_apply=True,
        auto_apply_allows_destroy=True,
    )
    return workspaces.create(session, actor, wanted)


def store_configuration(session: Session, actor: Actor) -> str:
    """Store what the canary applies; return the configuration's id, the same each time."""
    return configurations.store_files(session, actor, {"main.tf": _MAIN.encode()}).id
