"""What is sent: the payload of an event, its two formats, and the signature. Pure.

The format `sluice` follows Standard Webhooks (https://www.standardwebhooks.com): ``webhook-id``, ``webhook-timestamp``
(seconds since 1970) and ``webhook-signature``, which is ``v1,`` and the base64 of HMAC-SHA-256 over
``id.timestamp.body`` under the secret, whose bytes stand in base64 behind ``whsec_``.
"""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

from app.notifications.schemas import Format, HaltNews, RunNews

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins, no secret
_MOST_TEXT = 500
_WORDS = {
    "waiting": "waits for approval",
    "blocked": "is blocked by policy",
    "applied": "was applied",
    "errored": "failed",
}


def new_secret() -> str:
    """Return a fresh signing secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(secret: str, webhook_id: str, at_seconds: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a signed webhook."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{webhook_id}.{at_seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": str(at_seconds), "webhook-signature": f"v1,{signature}"}


def run_payload(event: str, news: RunNews, workspace_name: str, at: str) -> dict[str, Any]:
    """Return what is told of a run."""
    return {
        "type": f"run.{event}",
        "at": at,
        "organization_id": news.organization_id,
        "workspace": {"id": news.workspace_id, "name": workspace_name},
        "run": {
            "id": news.run_id,
            "kind": news.kind,
            "status": news.status,
            "reason": news.reason,
            "message": news.message,
            "requested_by": news.requested_by,
            "has_changes": news.has_changes,
            "counts": news.counts,
            "url": news.url,
        },
    }


def halt_payload(news: HaltNews, organization_id: str, workspace_name: str | None, at: str) -> dict[str, Any]:
    """Return what is told of a halt: one notification, however many runs it stopped."""
    workspace = {"id": news.workspace_id, "name": workspace_name} if news.workspace_id is not None else None
    return {
        "type": "halt.raised",
        "at": at,
        "organization_id": organization_id,
        "workspace": workspace,
        "halt": {
            "id": news.halt_id,
            "scope": news.scope,
            "reason": news.reason,
            "actor": news.actor,
            "runs": news.runs.get(organization_id, 0),
            "url": news.url,
        },
    }


def trial_payload(organization_id: str, actor: str, at: str) -> dict[str, Any]:
    """Return what a test sends."""
    return {"type": "test", "at": at, "organization_id": organization_id, "requested_by": actor}


def body_of(style: Format, payload: dict[str, Any]) -> bytes:
    """Return the bytes to send. They are the same at every attempt."""
    document = _slack(payload) if style == "slack" else payload
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def escaped(text: str) -> str:
    """Return a person's text as Slack wants it: no mention and no link of its own, on one line, shortened."""
    line = " ".join(text.split())
    short = line if len(line) <= _MOST_TEXT else f"{line[: _MOST_TEXT - 1]}…"
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        short = short.replace(sign, shown)
    return short


def _slack(payload: dict[str, Any]) -> dict[str, Any]:
    lines = _lines(payload)
    text = "\n".join(lines)
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
    return {"text": lines[0], "blocks": [block]}


def _lines(payload: dict[str, Any]) -> list[str]:
    workspace = escaped((payload.get("workspace") or {}).get("name") or "")
    if payload["type"] == "test":
        return [f"Sluice: a test, sent by {escaped(payload['requested_by'])}"]
    if payload["type"] == "halt.raised":
        halt = payload["halt"]
        scope = f"workspace {workspace}" if workspace else escaped(halt["scope"])
        lines = [f"Sluice: halt of {scope}, {halt['runs']} runs stopped: <{halt['url']}|open>"]
        return [*lines, f"By {escaped(halt['actor'])}: {escaped(halt['reason'])}"]
    run = payload["run"]
    event = payload["type"].removeprefix("run.")
    lines = [f"Sluice: a {escaped(run['kind'])} of {workspace} {_WORDS[event]}: <{run['url']}|{run['id']}>"]
    counts = {name: count for name, count in (run["counts"] or {}).items() if isinstance(count, int) and count}
    if counts:
        lines.append(", ".join(f"{count} to {escaped(name)}" for name, count in counts.items()))
    said = f": {escaped(run['message'])}" if run["message"] else ""
    lines.append(f"Requested by {escaped(run['requested_by'])}{said}")
    return [*lines, escaped(run["reason"])] if run["reason"] else lines
