"""What people do with states that were refused, through state's services; and with recovery lists."""

from sqlalchemy.orm import Session

from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.recovery.resources import count_open, dismiss, open_by_workspace, open_runs, page, run_recovery, words
from app.state import service as state
from app.state.schemas import (
    AdoptRequest,
    DiscardRequest,
    QuarantineDiff,
    QuarantinedState,
    QuarantineStatus,
    ResourceFilter,
    StateResource,
    StateVersionOut,
)

__all__ = [
    "adopt",
    "count_open",
    "diff",
    "discard",
    "dismiss",
    "download",
    "get",
    "open_by_workspace",
    "open_runs",
    "page",
    "quarantined",
    "resources",
    "run_recovery",
    "words",
]


def quarantined(
    session: Session, actor: Actor, params: PageParams, *, workspace: str | None, status: QuarantineStatus | None
) -> Page[QuarantinedState]:
    """Return one page of quarantined states, newest first."""
    return state.quarantined(session, actor, params, workspace=workspace, status=status)


def get(session: Session, actor: Actor, quarantine_id: str) -> QuarantinedState:
    """Return one quarantined state. Raises ``QuarantineNotFound``."""
    return state.quarantined_state(session, actor, quarantine_id)


def download(session: Session, actor: Actor, quarantine_id: str) -> bytes:
    """Return what was refused, byte for byte. Audited."""
    return state.download_quarantined(session, actor, quarantine_id)


def resources(
    session: Session, actor: Actor, quarantine_id: str, wanted: ResourceFilter, params: PageParams
) -> Page[StateResource]:
    """Return one page of the resources that it holds."""
    return state.quarantined_resources(session, actor, quarantine_id, wanted, params)


def diff(session: Session, actor: Actor, quarantine_id: str, params: PageParams) -> QuarantineDiff:
    """Return one page of what would differ from the current state if it were adopted."""
    return state.diff_quarantined(session, actor, quarantine_id, params)


def adopt(session: Session, actor: Actor, quarantine_id: str, wanted: AdoptRequest) -> StateVersionOut:
    """Make it the workspace's next state version. Waiting plans made from the one before are superseded."""
    return state.adopt(session, actor, quarantine_id, wanted)


def discard(session: Session, actor: Actor, quarantine_id: str, wanted: DiscardRequest) -> QuarantinedState:
    """Let go of it."""
    return state.discard(session, actor, quarantine_id, wanted.reason)
