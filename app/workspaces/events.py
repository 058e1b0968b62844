"""Facts that workspaces tell the slices above. The workspace's row is locked exclusively when they are published."""

from dataclasses import dataclass

from app.core.events import Fact


@dataclass(frozen=True)
class VariablesMoved(Fact):
    """A variable was added, changed or removed."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class WorkspaceHeadMoved(Fact):
    """The workspace was pinned to another version, or unpinned."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class ApprovalRulesChanged(Fact):
    """How many approvals it takes, by whom, or whether the requester may give one."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class TagsChanged(Fact):
    """The workspace's tags changed, and with them what policies judge it."""

    organization_id: str
    workspace_id: str


@dataclass(frozen=True)
class WorkspaceDeleting(Fact):
    """The workspace is about to be deleted; a subscriber refuses by raising."""

    organization_id: str
    workspace_id: str
