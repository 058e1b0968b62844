"""Calls about states that come from elsewhere or became no version, and about recovery lists. See ``calls``."""

import uuid
from dataclasses import replace
from typing import Any

from app.client.calls import MAX_PAGE, Call, Json, address, as_it_came, get, listing, post
from app.client.models import Page

_PATIENCE_SECONDS = 300.0


def _path(*parts: str) -> str:
    return address("terraform", *parts)


def import_state(workspace: str, state: bytes) -> Call[Any]:
    """Make a state file the workspace's first state version; the same one again changes nothing."""
    call = post(_path("workspaces", workspace, "state-import"))
    return replace(_once(call), json=None, content=state, content_type="application/json")


def import_state_from_hcp(workspace: str, wanted: Json) -> Call[Any]:
    """Import a workspace of HCP Terraform. ``wanted``: ``organization``, ``workspace``, ``token`` and more."""
    return _once(post(_path("workspaces", workspace, "state-import", "hcp"), wanted))


def _once(call: Call[Any]) -> Call[Any]:
    return replace(call, idempotency_key=f"client-{uuid.uuid4().hex}", timeout_seconds=_PATIENCE_SECONDS)


def quarantined(
    workspace: str | None = None, status: str | None = None, *, limit: int = 50, cursor: str | None = None
) -> Call[Page[Any]]:
    """List states that could not become versions, newest first."""
    return listing(_path("recovery", "quarantine"), limit=limit, cursor=cursor, workspace=workspace, status=status)


def quarantined_state(quarantine_id: str) -> Call[Any]:
    """Read why a state was refused, and what was decided."""
    return get(_path("recovery", "quarantine", quarantine_id))


def quarantined_resources(quarantine_id: str, *, cursor: str | None = None) -> Call[Page[Any]]:
    """Read one page of the resources that a quarantined state holds."""
    return listing(_path("recovery", "quarantine", quarantine_id, "resources"), cursor=cursor)


def quarantined_diff(quarantine_id: str, *, cursor: str | None = None) -> Call[Any]:
    """Read one page of what would differ from the current state."""
    return get(_path("recovery", "quarantine", quarantine_id, "diff"), limit=MAX_PAGE, cursor=cursor)


def download_quarantined(quarantine_id: str) -> Call[bytes]:
    """Read what was refused, byte for byte, secrets included."""
    path = _path("recovery", "quarantine", quarantine_id, "download")
    return Call("GET", path, bytes, is_raw=True, timeout_seconds=_PATIENCE_SECONDS)


def restore_quarantined(quarantine_id: str, reason: str, *, replace_lineage: bool = False) -> Call[Any]:
    """Make a quarantined state the current one."""
    body = {"reason": reason, "replace_lineage": replace_lineage}
    return post(_path("recovery", "quarantine", quarantine_id, "adopt"), body)


def discard_quarantined(quarantine_id: str, reason: str) -> Call[Any]:
    """Let go of a quarantined state."""
    return post(_path("recovery", "quarantine", quarantine_id, "discard"), {"reason": reason})


def retention(workspace: str) -> Call[Any]:
    """Read how long the content of old state versions is kept."""
    return get(_path("workspaces", workspace, "state-retention"))


def set_retention(workspace: str, *, keep_versions: int | None, keep_days: int | None) -> Call[Any]:
    """Set how long the content of old state versions is kept; None and None keep everything."""
    body = {"keep_versions": keep_versions, "keep_days": keep_days}
    return Call("PUT", _path("workspaces", workspace, "state-retention"), as_it_came, json=body)


def output_sharing(workspace: str) -> Call[Any]:
    """Read which workspaces may take the workspace's outputs as inputs."""
    return get(_path("workspaces", workspace, "output-sharing"))


def set_output_sharing(workspace: str, *, everyone: bool, readers: list[str]) -> Call[Any]:
    """Set which workspaces may take the workspace's outputs as inputs."""
    body = {"everyone": everyone, "readers": readers}
    return Call("PUT", _path("workspaces", workspace, "output-sharing"), as_it_came, json=body)


def run_recovery(run_id: str) -> Call[Any]:
    """Read what a run's apply may have left that no state knows."""
    return get(_path("runs", run_id, "recovery"))


def recovery_items(
    workspace: str | None = None, status: str | None = None, *, limit: int = 50, cursor: str | None = None
) -> Call[Page[Any]]:
    """List what applies may have left that no state knows, newest first."""
    return listing(_path("recovery", "resources"), limit=limit, cursor=cursor, workspace=workspace, status=status)


def dismiss_recovery_item(item_id: str, reason: str) -> Call[Any]:
    """Take an item off its recovery list."""
    return post(_path("recovery", "resources", item_id, "dismiss"), {"reason": reason})
