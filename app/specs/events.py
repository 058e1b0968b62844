"""Facts that higher slices hear."""

from dataclasses import dataclass

from app.core.events import Fact


@dataclass(frozen=True)
class HeadMoved(Fact):
    """A stack has a new latest version; workspaces that follow its head plan from it from now on."""

    organization_id: str
    stack_id: str
