"""Every route with every role, on one's own organization, on another's, and without a credential."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from app.core.openapi import api_routes
from app.core.permissions import PERSON_ONLY, Permission, PermissionCheck, PublicMarker, SignedInCheck
from app.identity.roles import PERMISSIONS, Role
from tests.support import people, tenancy
from tests.support.application import application

ROUTES = {route.operation_id: route for route in api_routes(application())}
PUBLIC_ROUTES = {"get_health", "get_readiness", "log_in", "use_login_link"}
SIGNED_IN_ROUTES = {"get_me", "log_out", "set_password", "get_version", "get_openapi"}

BODIES: dict[str, Any] = {
    "backend_lock": {"ID": "a-lock"},
    "update_user": {"name": "Renamed"},
    "update_service_account": {"is_disabled": True},
    "create_experiment_test": {"name": "t2"},
    "push_spec": {"name": "net"},
    "change_workspace": {"description": "changed"},
    "put_variable": {"value": "changed"},
    "request_plan": {},
    "request_destroy": {},
    "request_refresh": {},
    "request_rollback": {"state_version_id": "sv-none"},
    "request_migration": {"state_backend": "managed"},
    "approve_run": {},
    "reject_run": {},
    "revoke_run": {},
    "discard_run": {},
    "override_run": {},
    "cancel_run": {},
    "lock_state": {"reason": "by hand"},
    "force_unlock_state": {"reason": "by hand"},
    "set_state_retention": {"keep_versions": 100},
    "adopt_quarantined_state": {"reason": "it is right"},
    "discard_quarantined_state": {"reason": "it is not"},
    "change_notification": {"events": ["halted"]},
    "dismiss_recovery_item": {"reason": "it is not there"},
    "set_output_sharing": {"everyone": True},
    # No name of an organization, so that HCP Terraform is not asked.
    "import_state_from_hcp": {"organization": ".", "workspace": "net", "token": "t", "with_variables": False},
}
"""A body that each route with a path parameter accepts, so that a refusal is the tenant's and not the body's."""

BORN_BY_NAME = {"push_spec"}
"""Routes that make a thing of the caller's own when the caller's organization has none of that name."""

QUERIES = {"read_policy_set_source": {"policy_set_uri": "policies/blast_radius"}}
"""What a route without a path parameter must be asked with."""

NOT_YET_THERE = {"get_plan", "get_estimate", "get_policy_input", "request_rollback"}
"""Routes whose thing a queued run hasn't yet or a fixed body can't name: its own organization gets the same 404."""

ENDLESS = {"follow_progress"}
"""Routes that answer their own organization for as long as its thing goes on: only others' answers are awaited here."""


def _checks(dependant: Dependant) -> Iterator[object]:
    for child in dependant.dependencies:
        yield child.call
        yield from _checks(child)


def _marks(operation_id: str) -> list[object]:
    kinds = (PermissionCheck, PublicMarker, SignedInCheck)
    return [call for call in _checks(ROUTES[operation_id].dependant) if isinstance(call, kinds)]


def _permission(operation_id: str) -> Permission | None:
    return next((mark.permission for mark in _marks(operation_id) if isinstance(mark, PermissionCheck)), None)


def _is_for_people(operation_id: str) -> bool:
    return any(isinstance(mark, PermissionCheck) and mark.unless_person for mark in _marks(operation_id))


def _send(client: TestClient, operation_id: str, path: str, body: Any = None) -> Any:
    (method,) = ROUTES[operation_id].methods or set()
    return client.request(method, path, json=body)


def _nowhere(operation_id: str) -> str:
    """The route's path with ids of nothing, so that who is let in changes nothing."""
    template = ROUTES[operation_id].path_format or ""
    return "/".join("nothing" if part.startswith("{") else part for part in template.split("/"))


GUARDED = sorted(set(ROUTES) - PUBLIC_ROUTES)
WITH_PERMISSION = sorted(name for name in ROUTES if _permission(name) is not None)
WITH_PARAMETER = sorted(name for name, route in ROUTES.items() if "{" in (route.path_format or ""))


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_route_declares_its_permission_once(name: str) -> None:
    (mark,) = _marks(name)
    expected = PublicMarker if name in PUBLIC_ROUTES else SignedInCheck if name in SIGNED_IN_ROUTES else PermissionCheck
    assert isinstance(mark, expected)


def test_every_permission_guards_something_or_waits_for_its_slice() -> None:
    unused = set(Permission) - {_permission(name) for name in ROUTES}
    assert unused <= {
        Permission.RUNS_DESTROY,  # asked for by the request's kind
        Permission.STATE_WRITE,
        Permission.WORKSPACES_RULES,  # asked for when a rule of the gate is in the body
        Permission.TOKENS_MANAGE,  # widens what the token routes show
    }


def test_routes_without_credential_are_refused(session: Session) -> None:
    client = people.client()
    answers = {name: _send(client, name, _nowhere(name)) for name in GUARDED}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
    assert {answer.json()["code"] for answer in answers.values()} == {"unauthenticated"}


def _walk(member: people.Member, held: frozenset[Permission]) -> dict[str, str]:
    """Return the routes that let in, or keep out, whom they should not."""
    client, wrong = people.client(member), {}
    for name in WITH_PERMISSION:
        answer = _send(client, name, _nowhere(name))
        wanted = _permission(name)
        is_refused = answer.status_code == 403 and answer.json().get("permission") == wanted
        is_kept_out = wanted not in held or (member.actor.kind != "person" and _is_for_people(name))
        if answer.status_code in {401, 500} or is_refused != is_kept_out:
            wrong[name] = f"{answer.status_code} {answer.text[:200]}"
    return wrong


@pytest.mark.parametrize("role", list(Role))
def test_routes_let_a_person_in_by_role(session: Session, role: Role) -> None:
    member = people.person(session, people.organization(session), role)
    session.commit()
    assert _walk(member, PERMISSIONS[role]) == {}


def test_routes_keep_out_a_person_without_role(session: Session) -> None:
    member = people.person(session, people.organization(session))
    session.commit()
    assert _walk(member, frozenset()) == {}


@pytest.mark.parametrize("is_agent", [False, True])
def test_routes_of_the_gate_keep_out_bots_with_every_role(session: Session, is_agent: bool) -> None:
    bot = people.account(session, people.organization(session), *Role, is_agent=is_agent)
    session.commit()
    assert _walk(bot, frozenset(Permission) - PERSON_ONLY) == {}


@pytest.fixture
def tenants(session: Session) -> tuple[tenancy.Tenant, tenancy.Tenant]:
    return tenancy.new_tenant(session, "acme"), tenancy.new_tenant(session, "rival")


def test_things_of_another_organization_are_not_found(
    session: Session, tenants: tuple[tenancy.Tenant, tenancy.Tenant]
) -> None:
    acme, rival = tenants
    wrong: dict[str, str] = {}
    for name in WITH_PARAMETER:
        path, body = acme.path(ROUTES[name].path_format or ""), BODIES.get(name)
        theirs = _tried(session, rival.client, name, path, body)
        own = theirs if name in ENDLESS else _tried(session, acme.client, name, path, body)
        if name not in BORN_BY_NAME and theirs.status_code != 404:
            wrong[name] = f"another organization got {theirs.status_code} {theirs.text[:200]}"
        elif name not in NOT_YET_THERE | ENDLESS and own.status_code in {401, 403, 404, 500}:
            wrong[name] = f"its own organization got {own.status_code} {own.text[:200]}"
    assert wrong == {}


def _tried(session: Session, client: TestClient, name: str, path: str, body: Any) -> Any:
    """Send a request and undo what it did, so that the next one finds everything as it was."""
    with session.begin_nested() as savepoint:
        session.connection()
        answer = _send(client, name, path, body)
        savepoint.rollback()
    return answer


def test_lists_hold_nothing_of_another_organization(tenants: tuple[tenancy.Tenant, tenancy.Tenant]) -> None:
    acme, rival = tenants
    secret = {value for key, value in acme.things.items() if not key.startswith(("variable", "stack_name"))}
    leaks: dict[str, set[str]] = {}
    for name, route in ROUTES.items():
        if "{" in (route.path_format or "") or "GET" not in (route.methods or ()) or name in PUBLIC_ROUTES:
            continue
        answer = rival.client.get(route.path_format or "", params={"limit": 200, **QUERIES.get(name, {})})
        assert answer.status_code == 200, f"{name}: {answer.text}"
        found = {value for value in secret if value in answer.text}
        if found:
            leaks[name] = found
    assert leaks == {}


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("run in a workspace", "/terraform/runs", {"workspace": "$workspace", "kind": "plan"}),
        (
            "run of a configuration",
            "/terraform/runs",
            {"workspace": "prod", "kind": "plan", "configuration_id": "$configuration"},
        ),
        (
            "run of an experiment",
            "/terraform/runs",
            {"workspace": "prod", "kind": "plan", "experiment_id": "$experiment"},
        ),
        ("workspace of a stack", "/terraform/workspaces", {"name": "other", "stack": "$stack"}),
        (
            "workspace with approvers",
            "/terraform/workspaces",
            {"name": "other", "stack": "net", "approver_team_ids": ["$team"]},
        ),
        (
            "policy attachment",
            "/terraform/policy-attachments",
            {"policy_set_uri": "policies/blast_radius", "enforcement_level": "advisory", "workspace": "$workspace"},
        ),
        ("halt", "/terraform/halt", {"scope": "workspace", "workspace": "$workspace", "reason": "x"}),
        ("resume", "/terraform/resume", {"scope": "workspace", "workspace": "$workspace", "reason": "x"}),
        ("rollback", "/terraform/workspaces/prod/rollback", {"state_version_id": "$state_version"}),
        ("token", "/tokens", {"name": "x", "service_account": "$service_account"}),
        ("user of a team", "/users", {"email": "new@example.org", "name": "New", "teams": ["$team"]}),
    ],
)
def test_bodies_that_name_things_of_another_organization_are_refused(
    tenants: tuple[tenancy.Tenant, tenancy.Tenant], name: str, path: str, body: dict[str, Any]
) -> None:
    acme, rival = tenants

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(item) for item in value]
        return acme.things[value[1:]] if isinstance(value, str) and value.startswith("$") else value

    answer = rival.client.post(path, json={key: named(value) for key, value in body.items()})
    assert answer.status_code in {404, 422}, f"{name}: {answer.status_code} {answer.text}"


def test_push_spec_to_a_name_of_another_organization_makes_the_callers_own(
    tenants: tuple[tenancy.Tenant, tenancy.Tenant],
) -> None:
    acme, rival = tenants
    before = acme.client.get(f"/terraform/stacks/{acme.things['stack']}").json()
    digest = rival.client.get(f"/terraform/configurations/{rival.things['configuration']}").json()["digest"]
    pushed = rival.client.put("/terraform/stacks/net/spec", json={"name": "net", "configuration_digest": digest}).json()
    assert pushed["stack"]["id"] == rival.things["stack"]
    assert acme.client.get(f"/terraform/stacks/{acme.things['stack']}").json() == before


def test_websocket_is_closed_to_strangers_and_other_organizations(
    tenants: tuple[tenancy.Tenant, tenancy.Tenant],
) -> None:
    acme, rival = tenants
    path = f"/terraform/ws/runs/{acme.things['run']}"
    for client, code in ((people.client(), 4401), (rival.client, 4404)):
        with client.websocket_connect(path) as socket, pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == code
    with acme.client.websocket_connect(path) as socket:
        assert socket.receive_json()["type"] == "records"


def test_websockets_are_the_known_ones() -> None:
    from fastapi.routing import iter_route_contexts

    found = {
        route.path
        for route in iter_route_contexts(application().routes)
        if isinstance(route.original_route, WebSocketRoute)
    }
    assert found == {"/terraform/ws/runs/{run_id}", "/terraform/ws/halt"}
