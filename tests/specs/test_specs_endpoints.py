from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from app.core.permissions import Actor, Permission
from app.specs.endpoints import router
from tests.workspaces.api import client_of

YAML = {"content-type": "application/yaml"}


@pytest.fixture
def client(actor: Actor) -> Iterator[TestClient]:
    with client_of(actor, router) as client:
        yield client


def test_push_yaml_then_equal_json_makes_one_version(client: TestClient) -> None:
    first = client.put("/terraform/stacks/net/spec?message=one", content=b"inputs:\n  a: 1\n", headers=YAML)
    again = client.put("/terraform/stacks/net/spec", json={"name": "net", "inputs": {"a": 1}})
    assert first.status_code == again.status_code == 200, first.text
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    version = first.json()["version"]
    assert (version["number"], version["message"], version["hash"][:3]) == (1, "one", "v1:")
    assert version["document"] == {"schema_version": 1, "name": "net", "inputs": {"a": 1}}
    assert client.get("/terraform/stacks/net").json()["latest_version"]["id"] == version["id"]
    assert client.get(f"/terraform/spec-versions/{version['id']}").json() == version


def test_push_wrong_field_is_422_and_names_it(client: TestClient) -> None:
    answer = client.put("/terraform/stacks/net/spec", json={"inputs": {"ratio": 0.5}, "knid": "x"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "spec_invalid"
    assert {item["field"] for item in problem["errors"]} == {"inputs.ratio", "knid"}


def test_push_to_another_name_is_409_and_too_large_is_413(client: TestClient) -> None:
    assert client.put("/terraform/stacks/net/spec", json={"name": "other"}).status_code == 409
    big = client.put("/terraform/stacks/net/spec", content=b"description: " + b"x" * 300_000, headers=YAML)
    assert big.status_code == 413


def test_versions_and_diff(client: TestClient) -> None:
    for number in (1, 2):
        client.put("/terraform/stacks/net/spec", json={"inputs": {"a": number}})
    listed = client.get("/terraform/stacks/net/versions?limit=1").json()
    assert [item["number"] for item in listed["items"]] == [2]
    rest = client.get("/terraform/stacks/net/versions", params={"cursor": listed["next_cursor"]}).json()
    assert [item["number"] for item in rest["items"]] == [1]
    a, b = rest["items"][0]["id"], listed["items"][0]["id"]
    found = client.get(f"/terraform/spec-versions/{a}/diff/{b}").json()
    assert found == {"a": a, "b": b, "changes": [{"path": "/inputs/a", "op": "change", "before": 1, "after": 2}]}


def test_create_and_list_stacks(client: TestClient) -> None:
    made = client.post("/terraform/stacks", json={"name": "uploads", "description": "by CI"})
    assert made.status_code == 201
    assert made.json()["latest_version"] is None
    assert client.post("/terraform/stacks", json={"name": "uploads"}).status_code == 409
    assert client.post("/terraform/stacks", json={"name": "Not A Name"}).status_code == 422
    assert [item["name"] for item in client.get("/terraform/stacks").json()["items"]] == ["uploads"]
    assert client.get("/terraform/stacks/nothing").status_code == 404


def test_push_needs_its_permission(actor: Actor) -> None:
    reader = replace(actor, permissions=frozenset({Permission.STACKS_READ}))
    with client_of(reader, router) as client:
        assert client.put("/terraform/stacks/net/spec", json={}).status_code == 403
        assert client.get("/terraform/stacks").status_code == 200
