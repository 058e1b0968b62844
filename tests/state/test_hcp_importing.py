"""Imports from a server on loopback that answers as HCP Terraform's documentation says."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.core.settings import get_settings
from app.identity.roles import Role
from app.state import service
from tests.factories.scene import Scene
from tests.state import states
from tests.state.hcp_server import Answer, HcpServer, one, refusal, resource, running_hcp
from tests.support import people
from tests.support.client import ActingClient

TOKEN = "hcp-planted-token-1"
STATE = states.document([states.resource(1)], 12)
VARIABLES = [
    {"key": "region", "value": "eu", "category": "terraform", "hcl": False, "sensitive": False},
    {"key": "zones", "value": '["a", "b"]', "category": "terraform", "hcl": True, "sensitive": False},
    {"key": "AWS_REGION", "value": "eu-1", "category": "env", "hcl": False, "sensitive": False},
    {"key": "password", "value": None, "category": "terraform", "hcl": False, "sensitive": True},
    {"key": "LD_PRELOAD", "value": "/tmp/x.so", "category": "env", "hcl": False, "sensitive": False},
]


@pytest.fixture
def server() -> Iterator[HcpServer]:
    with running_hcp() as running:
        yield running


@pytest.fixture(autouse=True)
def allowed(server: HcpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_HCP_IMPORT_HOSTS", f"app.terraform.io, {server.address}")
    monkeypatch.setenv("SLUICE_HCP_URL", server.address)
    get_settings.cache_clear()


def answers(server: HcpServer, *, state: Answer | None = None, download: str | None = None) -> None:
    """Script a whole import."""
    url = download or f"{server.address}/_archivist/v1/object/x"
    version = one("state-versions", "sv-9", serial=12, hosted_state_download_url=url)
    variables = [resource("vars", f"var-{number}", **found) for number, found in enumerate(VARIABLES)]
    server.answers(
        one("workspaces", "ws-9", name="net", locked=True),
        version,
        Answer(document={"data": variables}),
        state or Answer(raw=STATE, headers={"Content-Type": "application/json"}),
    )


def send(client: ActingClient, scene: Scene, *, key: str | None = None, **fields: Any) -> httpx.Response:
    body = {"organization": "acme", "workspace": "net", "token": TOKEN, **fields}
    headers = {"Idempotency-Key": key} if key else {}
    path = f"/terraform/workspaces/{scene.workspace.name}/state-import/hcp"
    return client.acting(client.actor or scene.admin).post(path, json=body, headers=headers)


def test_import_takes_the_current_state_and_the_variables_that_can_be_read(
    client: ActingClient, scene: Scene, session: Session, server: HcpServer
) -> None:
    scene.put_variable("us", key="region")
    answers(server)
    answer = send(client, scene)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["state_version"]["kind"], found["state_version"]["serial"]) == ("imported", 12)
    assert service.content(session, scene.organization_id, found["state_version"]["id"]) == STATE
    assert found["source"] == {
        "address": server.address,
        "organization": "acme",
        "workspace": "net",
        "workspace_id": "ws-9",
        "state_version_id": "sv-9",
        "serial": 12,
        "is_locked": True,
    }
    assert {item["key"]: item["outcome"] for item in found["variables"]} == {
        "region": "kept",
        "zones": "set",
        "AWS_REGION": "set",
        "password": "to_set_by_hand",
        "LD_PRELOAD": "refused",
    }
    variables = client.get(f"/terraform/workspaces/{scene.workspace.name}/variables").json()
    assert {item["key"]: (item["value"], item["is_hcl"]) for item in variables} == {
        "AWS_REGION": ("eu-1", False),
        "region": ("us", False),
        "zones": ('["a", "b"]', True),
    }
    event = session.scalars(select(AuditEvent).filter_by(action="state.imported")).one()
    assert event.evidence["source"]["workspace_id"] == "ws-9"
    assert [asked.path for asked in server.asked] == [
        "/api/v2/organizations/acme/workspaces/net",
        "/api/v2/workspaces/ws-9/current-state-version",
        "/api/v2/workspaces/ws-9/vars",
        "/_archivist/v1/object/x",
    ]


def test_token_is_in_no_table_answer_or_log(
    client: ActingClient, scene: Scene, session: Session, server: HcpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answers(server)
    answer = send(client, scene, key="once")
    assert answer.status_code == 201
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {TOKEN}"}
    kept = [
        str(session.execute(text(f'select * from "{table}"')).all())
        for table in session.execute(
            text("select table_name from information_schema.tables where table_schema = 'public'")
        ).scalars()
    ]
    assert scene.workspace.id in "".join(kept)
    assert TOKEN not in "".join(kept)
    assert TOKEN not in answer.text
    assert TOKEN not in caplog.text


def test_import_sent_again_gives_the_first_answer(client: ActingClient, scene: Scene, server: HcpServer) -> None:
    answers(server)
    first = send(client, scene, key="once").json()
    answers(server)
    assert send(client, scene, key="once").json() == first
    answers(server)
    reused = send(client, scene, key="once", workspace="other")
    assert reused.json()["code"] == "idempotency_key_reused"


def test_import_without_variables_asks_for_none(client: ActingClient, scene: Scene, server: HcpServer) -> None:
    version = one("state-versions", "sv-9", serial=12, hosted_state_download_url=f"{server.address}/s")
    server.answers(one("workspaces", "ws-9", name="net"), version, Answer(raw=STATE))
    answer = send(client, scene, with_variables=False)
    assert (answer.status_code, answer.json()["variables"]) == (201, [])


def test_variables_need_their_own_right(
    client: ActingClient, scene: Scene, session: Session, server: HcpServer
) -> None:
    member = people.person(session, scene.organization_id, Role.OPERATOR).actor
    narrow = type(member)(**{**vars(member), "permissions": member.permissions - {"variables:write"}})
    refused = send(client.acting(narrow), scene)
    assert (refused.status_code, refused.json()["code"], server.asked) == (403, "forbidden", [])


@pytest.mark.parametrize(
    "address",
    [
        "http://app.terraform.io",
        "https://169.254.169.254",
        "http://127.0.0.1:1",
        "https://app.terraform.io:8443",
        "https://app.terraform.io@evil.example",
        "https://user@app.terraform.io",
        "https://app.terraform.io/api",
        "https://app.terraform.io.evil.example",
        "file:///etc/passwd",
        "https://",
        "http://[::1",
    ],
)
def test_address_that_the_settings_do_not_name_is_refused_and_nothing_is_sent(
    client: ActingClient, scene: Scene, server: HcpServer, address: str
) -> None:
    refused = send(client, scene, address=address)
    assert (refused.status_code, refused.json()["code"]) == (403, "hcp_address_refused")
    assert server.asked == []
    assert TOKEN not in refused.text


def test_redirect_and_download_elsewhere_are_not_followed(
    client: ActingClient, scene: Scene, server: HcpServer
) -> None:
    with running_hcp() as other:
        answers(server, download=f"{other.address}/latest/meta-data")
        refused = send(client, scene)
        assert (refused.status_code, refused.json()["code"]) == (403, "hcp_address_refused")
        assert "SLUICE_HCP_IMPORT_HOSTS" in refused.json()["detail"]
        server.script.clear()
        answers(server, state=Answer(302, headers={"Location": f"{other.address}/x"}))
        assert send(client, scene).json()["code"] == "hcp_address_refused"
        assert other.asked == []


def test_state_of_another_size_than_taken_is_refused(
    client: ActingClient, scene: Scene, server: HcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MAX_STATE_BYTES", "4096")
    get_settings.cache_clear()
    answers(server, state=Answer(raw=b" " * 5000))
    refused = send(client, scene)
    assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")


def test_hcps_own_refusals_say_what_is_wrong(client: ActingClient, scene: Scene, server: HcpServer) -> None:
    server.answers(refusal(401, "unauthorized"))
    unknown = send(client, scene)
    assert (unknown.status_code, unknown.json()["code"]) == (502, "hcp_unauthorized")
    server.answers(refusal(404, "not found"))
    missing = send(client, scene)
    assert (missing.status_code, missing.json()["code"]) == (404, "hcp_not_found")
    workspace = one("workspaces", "ws-9", name="net")
    server.answers(workspace, refusal(404, "not found"), workspace)
    empty = send(client, scene)
    assert (empty.status_code, empty.json()["code"]) == (404, "hcp_state_missing")
    answers(server, state=Answer(raw=json.dumps({"encrypted_data": "x"}).encode()))
    assert send(client, scene).json()["code"] == "state_encrypted"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "é" * 4])
def test_token_that_is_none_is_refused_unseen(
    client: ActingClient, scene: Scene, server: HcpServer, token: str
) -> None:
    refused = send(client, scene, token=token)
    assert refused.status_code == 422
    assert server.asked == []
    assert "Evil" not in refused.text
