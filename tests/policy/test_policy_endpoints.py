from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.identity.roles import Role
from tests.support import people

BASE = "/terraform/policy-attachments"
BODY = {"policy_set_uri": "policies/blast_radius", "enforcement_level": "soft-mandatory"}


def _client(session: Session, role: Role) -> tuple[TestClient, str]:
    organization = people.organization(session)
    return people.client(people.person(session, organization, role)), organization


def test_policy_sets_are_listed(session: Session) -> None:
    client, _ = _client(session, Role.VIEWER)
    found = {item["name"]: item for item in client.get("/terraform/policy-sets").json()}
    assert found["no_public_buckets"]["title"] == "No public buckets"
    assert found["no_public_buckets"]["error"] is None


def test_attachment_is_created_read_synced_and_deleted(session: Session) -> None:
    client, _ = _client(session, Role.ADMIN)
    made = client.post(BASE, json={**BODY, "tag": "prod"})
    assert made.status_code == 201, made.text
    attachment = made.json()
    assert (attachment["tag"], attachment["workspace"], attachment["hard_mandatory"]) == ("prod", None, False)
    assert attachment["created_by"]["kind"] == "person"
    assert client.get(BASE).json() == {"items": [attachment], "next_cursor": None}
    assert client.get(f"{BASE}/{attachment['id']}").json() == attachment
    assert client.post(f"{BASE}/{attachment['id']}/sync").json()["is_changed"] is False
    assert client.delete(f"{BASE}/{attachment['id']}").status_code == 204
    gone = client.get(f"{BASE}/{attachment['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "policy_attachment_not_found")


def test_refusals_name_the_field(session: Session) -> None:
    client, _ = _client(session, Role.ADMIN)
    refused = client.post(BASE, json={**BODY, "policy_set_uri": "https://example.org/x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "policy_set_uri_refused")
    assert refused.json()["errors"][0]["field"] == "policy_set_uri"
    wrong_level = client.post(BASE, json={**BODY, "enforcement_level": "hard"})
    assert (wrong_level.status_code, wrong_level.json()["errors"][0]["field"]) == (422, "enforcement_level")


def test_viewer_may_not_write(session: Session) -> None:
    client, _ = _client(session, Role.VIEWER)
    assert client.post(BASE, json=BODY).status_code == 403
    assert client.get(BASE).status_code == 200


def test_source_of_a_set_and_of_what_is_pinned_say_the_same_digest(session: Session) -> None:
    client, _ = _client(session, Role.ADMIN)
    attachment = client.post(BASE, json=BODY).json()
    pinned = client.get(f"{BASE}/{attachment['id']}/source").json()
    shipped = client.get("/terraform/policy-sets/source", params={"policy_set_uri": BODY["policy_set_uri"]}).json()
    assert pinned == shipped
    assert pinned["bundle_digest"] == attachment["bundle_digest"]
    assert "package sluice.blast_radius" in pinned["files"]["policy.rego"]


def test_source_of_an_address_outside_is_refused(session: Session) -> None:
    client, _ = _client(session, Role.VIEWER)
    refused = client.get("/terraform/policy-sets/source", params={"policy_set_uri": "policies/../app"})
    assert (refused.status_code, refused.json()["code"]) == (422, "policy_set_uri_refused")
