"""How `sluice api` serves."""

from typing import Any

import httpx
import pytest
import uvicorn

from app.cli import serve


def test_api_started_keeps_idle_connections_longer_than_clients_do(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _app, **options: given.update(options))
    for check in ("_start", "_check_siblings", "_check_artifacts", "_allow_connections"):
        monkeypatch.setattr(serve, check, lambda **_: None)

    serve.api()

    expiry = httpx.Limits().keepalive_expiry
    assert expiry is not None
    assert given["timeout_keep_alive"] > expiry, "a client that polls would use a connection that is just being closed"
