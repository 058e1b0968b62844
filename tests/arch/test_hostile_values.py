"""Every route with hostile values in each place that takes one: whatever comes is answered, and never by a failure."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core.openapi import api_routes
from app.core.settings import get_settings
from tests.arch.test_routes_permissions import ENDLESS
from tests.support import tenancy
from tests.support.application import application

ROUTES = {route.operation_id: route for route in api_routes(application()) if route.include_in_schema}
DOCUMENT: dict[str, Any] = application().openapi()

LATE = "9999-12-31T23:59:59-23:59"
IN_BODY = (
    '"\\u0000"',
    '"\\ud800"',
    "9223372036854775808",
    "1e999",
    '{"\\u0000": "\\ud800"}',
    f'"{LATE}"',
)
IN_QUERY = ("%00", "%ED%A0%80", "9223372036854775808", LATE)
IN_PATH = ("%00", "%ED%A0%80")
CURSORS = (None, 2**70, "\0", "\ud800", [], ["a", 1])
WHOLE_BODIES = (b"\x00", b"\xff\xfe", b"[" * 50_000, b'"\\ud800"')

GOOD: dict[str, Any] = {
    "email": "somebody@example.org",
    "url": "https://hooks.example.org/x",
    "policy_set_uri": "policies/blast_radius",
    "events": ["waiting"],
    "files": {},
    "scope": "workspace",
    "workspace": "prod",
    "stack": "net",
}
"""Values of fields that only some texts are good for, so that what is hostile comes further than to the first check."""


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _plausible(name: str, schema: dict[str, Any]) -> Any:
    if name in GOOD:
        return GOOD[name]
    schema = _resolved(schema)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return _plausible(name, schema["anyOf"][0])
    return {"integer": 1, "number": 1, "boolean": False, "array": [], "object": {}}.get(str(schema.get("type")), "x")


def _bodies(operation: dict[str, Any]) -> Iterator[bytes]:
    """Yield JSON bodies that are plausible but for one field."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return
    schema = _resolved(content["application/json"]["schema"])
    fields: dict[str, Any] = schema.get("properties", {})
    plausible = {name: _plausible(name, fields[name]) for name in schema.get("required", fields)}
    yield from WHOLE_BODIES
    for name in fields:
        for value in IN_BODY:
            body = json.dumps({**plausible, name: "VALUE"})
            yield body.replace('"VALUE"', value).encode()


def _requests(name: str, tenant: tenancy.Tenant) -> Iterator[tuple[str, bytes | None]]:
    """Yield a route's paths and bodies with one hostile value each."""
    route = ROUTES[name]
    template = route.path_format or ""
    (method,) = route.methods or set()
    operation = DOCUMENT["paths"][template][method.lower()]
    path = tenant.path(template)
    for parameter in operation.get("parameters", []):
        key = parameter["name"]
        if parameter["in"] == "path":
            for value in IN_PATH:
                yield "/".join(value if part == f"{{{key}}}" else part for part in template.split("/")), None
        elif parameter["in"] == "query":
            for value in IN_QUERY:
                yield f"{path}?{key}={value}", None
            for cursor in CURSORS if key == "cursor" else ():
                yield f"{path}?cursor={_encoded(cursor)}", None
    for body in _bodies(operation):
        yield path, body


def _encoded(key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@pytest.fixture
def tenant(session: Session) -> tenancy.Tenant:
    return tenancy.new_tenant(session, "acme")


@pytest.mark.parametrize("part", range(4))
def test_no_route_fails_on_a_hostile_value(
    session: Session, tenant: tenancy.Tenant, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setenv("SLUICE_HCP_IMPORT_HOSTS", "hcp.invalid")
    get_settings.cache_clear()
    failed: dict[str, str] = {}
    asked = 0
    for name in sorted(set(ROUTES) - ENDLESS)[part::4]:
        (method,) = ROUTES[name].methods or set()
        for path, body in _requests(name, tenant):
            answer = _tried(session, tenant.client, method, path, body)
            asked += 1
            if answer.status_code >= 500:
                failed[f"{method} {path[:100]} {(body or b'')[:100]!r}"] = f"{answer.status_code} {answer.text[:200]}"
    assert failed == {}
    assert asked > 100


def _tried(session: Session, client: TestClient, method: str, path: str, body: bytes | None) -> Any:
    """Send a request and undo what it did, so that the next one finds everything as it was."""
    headers = {"Accept-Encoding": "identity"} | ({"Content-Type": "application/json"} if body is not None else {})
    with session.begin_nested() as savepoint:
        session.connection()
        answer = client.request(method, path, content=body, headers=headers)
        savepoint.rollback()
    return answer
