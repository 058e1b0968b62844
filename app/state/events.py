"""What state tells the slices above."""

from dataclasses import dataclass

from app.core.events import Fact


@dataclass(frozen=True)
class OutputSharingChanged(Fact):
    """Other workspaces than before may read a workspace's outputs. Handled after commit, as ``StateMoved`` is."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class StateMoved(Fact):
    """A workspace has another current state than before. Handled in a job after commit: it climbs the lock order."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class QuarantineMoved(Fact):
    """A state of a run was put into quarantine, or let go of: what the run left is in other places than before."""

    run_id: str
