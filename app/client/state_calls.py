"""Calls about states that come from elsewhere, or that became no version. See ``calls``."""

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from app.client.calls import Call, Json, post

_PATIENCE_SECONDS = 300.0


def _path(*parts: str) -> str:
    return "/terraform/" + "/".join(quote(part, safe="") for part in parts)


def import_state(workspace: str, state: bytes) -> Call[Any]:
    """Make a state file the workspace's first state version; the same one again changes nothing."""
    call = post(_path("workspaces", workspace, "state-import"))
    return replace(_once(call), json=None, content=state, content_type="application/json")


def import_state_from_hcp(workspace: str, wanted: Json) -> Call[Any]:
    """Import a workspace of HCP Terraform. ``wanted``: ``organization``, ``workspace``, ``token`` and more."""
    return _once(post(_path("workspaces", workspace, "state-import", "hcp"), wanted))


def _once(call: Call[Any]) -> Call[Any]:
    return replace(call, idempotency_key=f"client-{uuid.uuid4().hex}", timeout_seconds=_PATIENCE_SECONDS)
