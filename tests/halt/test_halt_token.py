"""An ops dashboard's token can read halts, halt and, where granted, resume; and nothing else, on any route."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core.openapi import api_routes
from app.core.permissions import Permission, PermissionCheck
from tests.arch.test_routes_permissions import ROUTES, _nowhere, _permission, _send
from tests.support import people
from tests.support.application import application
from tests.support.tenancy import new_tenant

MAY_ALWAYS = {"get_me", "log_out", "set_password", "get_version", "get_openapi"}
"""What every valid credential may: who am I, sign out, which version."""


def _client(session: Session, *permissions: Permission) -> TestClient:
    tenant = new_tenant(session, "ops")
    post = tenant.client.post
    post("/service-accounts", json={"name": "dashboard", "roles": ["operator"]}).raise_for_status()
    body = {"name": "halt", "service_account": "dashboard", "permissions": [str(each) for each in permissions]}
    answer = post("/tokens", json=body)
    assert answer.status_code == 201, answer.text
    client = people.client()
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


@pytest.mark.parametrize("may_resume", [False, True])
def test_token_of_a_dashboard_halts_and_nothing_else(session: Session, may_resume: bool) -> None:
    granted = {Permission.HALT_READ, Permission.HALT_RAISE} | ({Permission.HALT_RESUME} if may_resume else set())
    client = _client(session, *granted)
    let_in = set()
    for name in ROUTES:
        permission = _permission(name)
        if permission is None or name in MAY_ALWAYS:
            continue
        answer = _send(client, name, _nowhere(name))
        refused = answer.status_code == 403
        if not refused:
            let_in.add(permission)
    assert let_in == granted
    raised = client.post("/terraform/halt", json={"reason": "from the dashboard"})
    assert raised.status_code == 200
    assert client.get("/terraform/halt").json()["active"][0]["id"] == raised.json()["id"]
    lifted = client.post("/terraform/resume", json={"reason": "over"})
    assert lifted.status_code == (200 if may_resume else 403)


def test_halt_and_resume_that_name_a_workspace_alone_mean_it_alone(session: Session) -> None:
    tenant = new_tenant(session, "ops")
    post, workspace = tenant.client.post, tenant.things["workspace"]
    raised = post("/terraform/halt", json={"reason": "fire", "workspace": workspace}).json()
    assert (raised["scope"], raised["scope_id"]) == ("workspace", workspace)
    whole = post("/terraform/halt", json={"reason": "fire"}).json()
    assert whole["scope"] == "organization"
    lifted = post("/terraform/resume", json={"reason": "over", "workspace": workspace}).json()
    assert lifted["id"] == raised["id"]
    assert [halt["id"] for halt in tenant.client.get("/terraform/halt").json()["active"]] == [whole["id"]]


def test_halt_of_a_workspace_that_is_not_named_is_refused_with_the_field(session: Session) -> None:
    client = new_tenant(session, "ops").client
    for body in ({"scope": "workspace"}, {"scope": "workspace", "workspace": ""}):
        answer = client.post("/terraform/halt", json={"reason": "fire", **body})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "workspace")
    assert client.get("/terraform/halt").json()["active"] == []


@pytest.mark.parametrize("path", ["/terraform/halt", "/terraform/resume"])
def test_workspace_beside_another_scope_is_refused_with_the_field(session: Session, path: str) -> None:
    tenant = new_tenant(session, "ops")
    answer = tenant.client.post(
        path, json={"reason": "fire", "scope": "organization", "workspace": tenant.things["workspace"]}
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "workspace")
    assert tenant.client.get("/terraform/halt").json()["active"] == []


def test_every_halt_route_asks_for_a_right_of_halts() -> None:
    found = {
        route.path_format: check.call.permission.value
        for route in api_routes(application())
        for check in route.dependant.dependencies
        if isinstance(check.call, PermissionCheck) and "halt" in (route.path_format or "")
    }
    assert found
    assert all(permission.startswith("halt:") for permission in found.values())
