"""Calls that store policy sets and attach them. See ``calls``."""

from typing import Any

from app.client.calls import Call, address, as_it_came

_SOURCE_SECONDS = 330.0


def upload_policies(archive: bytes, name: str) -> Call[Any]:
    """Upload a policy set as tar, tar.gz or one Rego file; the same content again gives the `uri` that is there."""
    return Call(
        "POST",
        "/terraform/policy-bundles",
        as_it_came,
        params={"name": name},
        content=archive,
        content_type="application/octet-stream",
        is_repeatable=True,
        timeout_seconds=120.0,
    )


def attach_policies(
    policy_set_uri: str,
    enforcement_level: str,
    *,
    workspace: str | None = None,
    tag: str | None = None,
    waives_unevaluable: bool = False,
) -> Call[Any]:
    """Attach a policy set to a workspace, to a tag, or, with neither, to the organization.

    Reading a git source may take a while, so the time-out is long.
    """
    body = {
        "policy_set_uri": policy_set_uri,
        "enforcement_level": enforcement_level,
        "workspace": workspace,
        "tag": tag,
        "waives_unevaluable": waives_unevaluable,
    }
    return Call("POST", "/terraform/policy-attachments", as_it_came, json=body, timeout_seconds=_SOURCE_SECONDS)


def sync_policies(attachment_id: str) -> Call[Any]:
    """Pin an attachment to what lies at its source now."""
    return Call(
        "POST",
        address("terraform", "policy-attachments", attachment_id, "sync"),
        as_it_came,
        json={},
        is_repeatable=True,
        timeout_seconds=_SOURCE_SECONDS,
    )
