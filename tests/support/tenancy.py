"""One organization with one of everything that a route can name, made through the API."""

import json
from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core import clock
from app.halt import drill_repository
from app.identity.roles import Role
from app.state import service as state
from tests.factories import recovery
from tests.support import people
from tests.support.archives import archive

PARAMETERS = {
    "/users/{user_id}": "user",
    "/teams/{team_id}": "team",
    "/members/{user_id}": "user",
    "/service-accounts/{id_or_name}": "service_account",
    "/tokens/{token_id}": "token",
    "/configurations/{configuration_id}": "configuration",
    "/stacks/{id_or_name}": "stack",
    "/stacks/{name}": "stack_name",
    "/spec-versions/{version_id}": "spec_version",
    "/spec-versions/{before_id}": "spec_version",
    "/diff/{after_id}": "newer_spec_version",
    "/experiments/{experiment_id}": "experiment",
    "/workspaces/{workspace}": "workspace",
    "/variables/{kind}": "variable_kind",
    "/{kind}/{key}": "variable_key",
    "/runs/{run_id}": "run",
    "/policy-attachments/{attachment_id}": "policy_attachment",
    "/rehearsals/{rehearsal_id}": "rehearsal",
    "/notifications/{notification}": "notification",
    "/notification-deliveries/{delivery_id}": "notification_delivery",
    "/halt/{halt_id}": "halt",
    "/drills/{drill_id}": "drill",
    "/state/{workspace}": "workspace",
    "/state-versions/{version_id}": "state_version",
    "/diff/{other_id}": "state_version",
    "/outputs/{name}": "output_name",
    "/quarantine/{quarantine_id}": "quarantined_state",
    "/resources/{item_id}": "recovery_item",
}
"""What of a tenant each path parameter names, by the segment before it. A new route's parameter belongs here."""


@dataclass
class Tenant:
    """An organization, its admin, and the ids of its things."""

    organization_id: str
    admin: people.Member
    client: TestClient
    things: dict[str, str] = field(default_factory=dict)

    def path(self, template: str) -> str:
        """Return a route's path with this tenant's things in it."""
        filled, last = [], ""
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                filled.append(self.things[PARAMETERS[f"/{last}/{segment}"]])
            else:
                filled.append(segment)
            last = segment
        return "/" + "/".join(filled)


def state_document() -> bytes:
    """Return a small state as an engine writes it."""
    return json.dumps(
        {
            "version": 4,
            "terraform_version": "1.11.0",
            "serial": 1,
            "lineage": "5d3f6f3e-0000-4000-8000-000000000001",
            "outputs": {"greeting": {"value": "hello", "type": "string"}},
            "resources": [],
        }
    ).encode()


def new_tenant(session: Session, name: str) -> Tenant:
    """Make an organization with one of everything."""
    organization_id = people.organization(session, name)
    admin = people.person(session, organization_id, Role.ADMIN, name=f"{name} admin")
    session.commit()
    tenant = Tenant(organization_id, admin, people.client(admin))
    things, post = tenant.things, _poster(tenant.client)
    things["user"] = post("/users", {"email": f"{name}@example.org", "name": f"{name} user"})["id"]
    things["team"] = post("/teams", {"name": "sre"})["id"]
    tenant.client.put(f"/teams/{things['team']}/members/{things['user']}")
    things["service_account"] = post("/service-accounts", {"name": "ci"})["id"]
    things["token"] = post("/tokens", {"name": "ci", "service_account": "ci"})["id"]
    things["experiment"] = post("/terraform/experiments", {"name": "blue"})["id"]
    post(f"/terraform/experiments/{things['experiment']}/tests", {"name": "t1"})
    _configuration_to_run(tenant)
    things["policy_attachment"] = post(
        "/terraform/policy-attachments",
        {"policy_set_uri": "policies/blast_radius", "enforcement_level": "advisory", "workspace": things["workspace"]},
    )["id"]
    hook = {"name": "hook", "url": f"https://hooks.example.org/{name}", "events": ["waiting"]}
    things["notification"] = post("/terraform/notifications", hook)["id"]
    things["notification_delivery"] = post(f"/terraform/notifications/{things['notification']}/test", {})["id"]
    things["rehearsal"] = post("/terraform/rehearsals", {"policy_set_uri": "policies/blast_radius"})["id"]
    things["state_version"] = state.store_version(
        session,
        organization_id=organization_id,
        workspace_id=things["workspace"],
        run_id=None,
        kind="applied",
        data=state_document(),
        created_by=admin.actor.describe(),
    ).id
    things["output_name"] = "greeting"
    quarantined = state.quarantine(
        session,
        organization_id=organization_id,
        workspace_id=things["workspace"],
        run_id=None,
        kind="applied",
        code="state_conflict",
        reason="its serial is older",
        data=state_document().replace(b"hello", name.encode()),
        created_by=admin.actor.describe(),
    )
    assert quarantined is not None
    things["quarantined_state"] = quarantined.id
    at = clock.now()
    ended = {"organization_id": organization_id, "actor": admin.actor.describe(), "created_at": at, "beat_at": at}
    things["drill"] = f"drill-{name}"
    drill_repository.add(session, id=things["drill"], workspace_id=things["workspace"], workspace_name="prod", **ended)
    drill_repository.note(session, things["drill"], status="failed", failed_step="start", ended_at=at)
    things["recovery_item"] = recovery.item(session, tenant.organization_id, things["workspace"], things["run"])
    session.commit()
    return tenant


def _configuration_to_run(tenant: Tenant) -> None:
    things, post, client = tenant.things, _poster(tenant.client), tenant.client
    uploaded = client.post(
        "/terraform/configurations",
        content=archive({"main.tf": 'variable "a" { default = "" }\n'}),
        headers={"Content-Type": "application/gzip"},
    ).json()
    things["configuration"] = uploaded["id"]
    spec: dict[str, Any] = {"name": "net", "configuration_digest": uploaded["digest"]}
    first = client.put("/terraform/stacks/net/spec", json=spec)
    assert first.status_code < 300, first.text
    pushed = client.put("/terraform/stacks/net/spec", json={**spec, "inputs": {"a": "b"}})
    assert pushed.status_code < 300, pushed.text
    second = pushed.json()
    things["spec_version"], things["newer_spec_version"] = first.json()["version"]["id"], second["version"]["id"]
    things["stack"], things["stack_name"] = second["stack"]["id"], "net"
    things["workspace"] = post("/terraform/workspaces", {"name": "prod", "stack": "net"})["id"]
    stopped = {"scope": "workspace", "workspace": "prod", "reason": "nothing runs yet", "latch": False}
    things["halt"] = post("/terraform/halt", stopped)["id"]
    things["variable_kind"], things["variable_key"] = "terraform", "region"
    put = client.put(
        f"/terraform/workspaces/{things['workspace']}/variables/terraform/region", json={"value": "eu-central-1"}
    )
    assert put.status_code < 300, put.text
    things["run"] = post("/terraform/runs", {"workspace": "prod", "kind": "plan"})["id"]


def _poster(client: TestClient) -> Any:
    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(path, json=body)
        assert answer.status_code in {200, 201, 202}, f"{path}: {answer.text}"
        document: dict[str, Any] = answer.json()
        return document

    return post
