"""Facts that state tells the slices above."""

from dataclasses import dataclass

from app.core.events import Fact


@dataclass(frozen=True)
class StateLockReleased(Fact):
    """A person released an orphaned lock; what waits in the workspace may start."""

    organization_id: str
    workspace_id: str
