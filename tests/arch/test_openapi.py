"""The API's document: every route declares what it can answer, and answers nothing else."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.core.http import PROBLEM, SAFE_METHODS, error_responses, install_error_handlers
from app.core.openapi import api_routes, mark_of
from app.core.permissions import PUBLIC, PermissionCheck, PublicMarker
from app.identity.roles import Role
from tests.support import people
from tests.support.application import application
from tests.support.declared import OnlyWhatIsDeclared

DOCUMENT = application().openapi()
ROUTES = {route.operation_id: route for route in api_routes(application()) if route.include_in_schema}


def operation(name: str) -> dict[str, Any]:
    (method,) = ROUTES[name].methods or set()
    found: dict[str, Any] = DOCUMENT["paths"][ROUTES[name].path_format][method.lower()]
    return found


def implied(name: str) -> set[tuple[str, str]]:
    """What a route's permission, method and input imply that it may answer, as (status, code)."""
    mark, found = mark_of(ROUTES[name]), operation(name)
    wanted: set[tuple[str, str]] = set()
    if not isinstance(mark, PublicMarker):
        wanted |= {("401", "unauthenticated"), ("503", "unavailable")}
        if (ROUTES[name].methods or set()) - SAFE_METHODS:
            wanted.add(("403", "csrf_header_missing"))
    if isinstance(mark, PermissionCheck):
        wanted |= {("403", "forbidden"), ("403", "token_too_narrow")}
        if mark.unless_person is not None:
            wanted.add(("403", mark.unless_person.code))
    if "requestBody" in found:
        wanted.add(("413", "payload_too_large"))
    if found.get("parameters") or "application/json" in found.get("requestBody", {}).get("content", {}):
        wanted.add(("422", "invalid"))
    return wanted


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_route_declares_what_its_permission_method_and_input_imply(name: str) -> None:
    responses = operation(name)["responses"]
    missing = {
        (status, code)
        for status, code in implied(name)
        if f"(`{code}`)" not in responses.get(status, {"description": ""})["description"]
    }
    assert missing == set()


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_route_declares_errors_as_problem_documents_each_code_once(name: str) -> None:
    for status, response in operation(name)["responses"].items():
        if status >= "400" and name != "get_readiness":
            assert list(response["content"]) == [PROBLEM]
            codes = response["description"].split("; ")
            assert len(codes) == len(set(codes))


def test_route_with_an_id_in_its_path_declares_that_nothing_has_it() -> None:
    bare = {name for name, route in ROUTES.items() if "{" in (route.path_format or "")}
    assert {name for name in bare if "404" not in operation(name)["responses"]} == set()


def test_document_holds_no_error_but_problems() -> None:
    assert {"HTTPValidationError", "ValidationError"} & set(DOCUMENT["components"]["schemas"]) == set()
    assert {"Problem", "FieldProblem"} <= set(DOCUMENT["components"]["schemas"])


def test_changes_with_a_cookie_alone_are_refused_as_declared(session: Session) -> None:
    member = people.person(session, people.organization(session), *Role, password=True)
    session.commit()
    client = people.client()
    email = people.client(member).get("/auth/me").json()["email"]
    assert client.post("/auth/login", json={"email": email, "password": people.PASSWORD}).status_code == 200
    for name, route in ROUTES.items():
        (method,) = route.methods or set()
        if method in SAFE_METHODS or isinstance(mark_of(route), PublicMarker):
            continue
        answer = client.request(method, route.path_format or "")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_header_missing"), name


def test_answer_that_a_route_does_not_declare_fails_the_test_that_gets_it() -> None:
    made = FastAPI()
    install_error_handlers(made)
    made.add_middleware(OnlyWhatIsDeclared, document=made.openapi)

    @made.get("/known", dependencies=[PUBLIC], responses=error_responses(NotFound))
    def known() -> None:
        raise NotFound("Nothing is there.")

    @made.get("/unknown", dependencies=[PUBLIC], responses=error_responses(NotFound))
    def unknown() -> None:
        raise Conflict("Something is in the way.")

    client = TestClient(made)
    assert client.get("/known").status_code == 404
    with pytest.raises(AssertionError, match="answers 409 conflict"):
        client.get("/unknown")
