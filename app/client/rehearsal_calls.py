"""Calls that rehearse a policy set over past plans, and try a draft on one input. See ``calls``."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from app.client.calls import Call, Json, address, get, given
from app.client.models import Evaluation, Page, Rehearsal, RehearsalResult, page_of

_BASE = "/terraform/rehearsals"
_PATIENCE_SECONDS = 60.0
"""A policy set is compiled, and maybe fetched, before the answer."""


def request_rehearsal(
    *,
    files: Mapping[str, str] | None = None,
    data: str | None = None,
    policy_set_uri: str | None = None,
    enforcement_level: str = "hard-mandatory",
    workspaces: Sequence[str] = (),
    tag: str | None = None,
    last: int = 100,
    idempotency_key: str | None = None,
) -> Call[Rehearsal]:
    """Rehearse a draft (``files``, name to text, and ``data``), or the policy set at ``policy_set_uri``.

    Over the last plans of workspaces (ids or names), of those with a tag, or, with neither, of the organization.
    """
    body: Json = {"enforcement_level": enforcement_level, "last": last}
    if files is not None:
        body["draft"] = {"files": dict(files), "data": data}
    if policy_set_uri is not None:
        body["policy_set_uri"] = policy_set_uri
    if workspaces:
        body["workspaces"] = list(workspaces)
    if tag is not None:
        body["tag"] = tag
    return Call(
        "POST",
        _BASE,
        Rehearsal.read,
        json=body,
        idempotency_key=idempotency_key or f"client-{uuid.uuid4().hex}",
        timeout_seconds=_PATIENCE_SECONDS,
    )


def get_rehearsal(rehearsal_id: str) -> Call[Rehearsal]:
    """Read how far a rehearsal is."""
    return Call("GET", _path(rehearsal_id), Rehearsal.read)


def list_rehearsals(*, limit: int = 50, cursor: str | None = None) -> Call[Page[Rehearsal]]:
    """List rehearsals, newest first."""
    return Call("GET", _BASE, page_of(Rehearsal.read), params=given(limit=limit, cursor=cursor))


def rehearsal_results(
    rehearsal_id: str, effects: Sequence[str] = (), *, limit: int = 200, cursor: str | None = None
) -> Call[Page[RehearsalResult]]:
    """Read one page of what came out, what it would newly block first; with ``effects`` only those."""
    params = given(effect=list(effects), limit=limit, cursor=cursor)
    return Call("GET", _path(rehearsal_id, "results"), page_of(RehearsalResult.read), params=params)


def cancel_rehearsal(rehearsal_id: str) -> Call[Rehearsal]:
    """End a rehearsal; what came out so far stays."""
    return Call("POST", _path(rehearsal_id, "cancel"), Rehearsal.read, json={})


def evaluate_policy(
    files: Mapping[str, str] | None = None,
    data: str | None = None,
    *,
    policy_set_uri: str | None = None,
    run_id: str | None = None,
    input_document: Json | None = None,
) -> Call[Evaluation]:
    """Try a draft (``files`` and ``data``), or the policy set at ``policy_set_uri``, on one input. Nothing is stored.

    The input is a run's stored plan, or a document of one's own.
    """
    body: Json = {
        "files": dict(files) if files is not None else None,
        "data": data,
        "policy_set_uri": policy_set_uri,
        "run_id": run_id,
        "input": input_document,
    }
    return Call(
        "POST",
        "/terraform/policies/evaluate",
        Evaluation.read,
        json={name: value for name, value in body.items() if value is not None},
        is_repeatable=True,
        timeout_seconds=_PATIENCE_SECONDS,
    )


def policy_input(run_id: str) -> Call[Any]:
    """Read the document that policies see of a run's plan, sensitive values replaced."""
    return get(address("terraform", "runs", run_id, "policy-input"))


def _path(rehearsal_id: str, *parts: str) -> str:
    return address("terraform", "rehearsals", rehearsal_id, *parts)
