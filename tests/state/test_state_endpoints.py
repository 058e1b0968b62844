import base64
import json
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.identity.roles import Role
from tests.factories.scene import Scene
from tests.state import states
from tests.state.conftest import Store
from tests.support import people

OUTPUTS = {
    "open": {"value": "shown", "type": "string"},
    "closed": {"value": "planted-secret", "type": "string", "sensitive": True},
}


@pytest.fixture
def pair(store: Store) -> tuple[str, str]:
    resources = [states.resource(number) for number in range(250)]
    before = store(states.document(resources, 1, outputs=OUTPUTS)).id
    changed = [*resources[1:], states.resource(900)]
    changed[40] = states.resource(41, revision=7)
    return before, store(states.document(changed, 2, outputs=OUTPUTS)).id


def get(session: Session, scene: Scene, path: str, role: Role = Role.OPERATOR, code: int = 200) -> dict[str, object]:
    member = people.person(session, scene.organization_id, role)
    answer = people.client(member).get(path)
    assert answer.status_code == code, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_resources_are_filtered_and_paged(session: Session, scene: Scene, pair: tuple[str, str]) -> None:
    path = f"/terraform/state-versions/{pair[0]}/resources"
    first = get(session, scene, f"{path}?type=aws_instance&limit=100")
    second = get(session, scene, f"{path}?type=aws_instance&limit=100&cursor={first['next_cursor']}")
    names = [item["address"] for page in (first, second) for item in page["items"]]  # type: ignore[attr-defined]
    assert len(names) == len(set(names)) == 125
    assert second["next_cursor"] is None

    def count(query: str) -> int:
        return len(get(session, scene, f"{path}?limit=200&{query}")["items"])  # type: ignore[arg-type]

    assert count("module=module.cell[3]") == 13
    assert count("module=module.cell&type=aws_eip") == 125
    assert count("module=") == 0
    assert count("provider=aws&type=aws_eip") == 125
    assert count("provider=google") == 0
    assert count("search=web_249") == 1
    assert count("mode=data") == 0


def test_difference_is_paged_and_counted(session: Session, scene: Scene, pair: tuple[str, str]) -> None:
    path = f"/terraform/state-versions/{pair[0]}/diff/{pair[1]}"
    found = get(session, scene, f"{path}?limit=2")
    assert [found[name] for name in ("added", "removed", "changed")] == [1, 1, 1]
    rest = get(session, scene, f"{path}?limit=2&cursor={found['next_cursor']}")
    items = [*found["items"], *rest["items"]]  # type: ignore[misc]
    assert sorted(item["op"] for item in items) == ["add", "change", "remove"]
    (change,) = (item for item in items if item["op"] == "change")
    assert [(a["path"], a["before"], a["after"]) for a in change["attributes"]] == [("tags.Revision", "0", "7")]


def test_sensitive_output_is_revealed_with_permission_only_and_audited(
    session: Session, scene: Scene, pair: tuple[str, str]
) -> None:
    listed = people.client(people.person(session, scene.organization_id, Role.VIEWER)).get(
        f"/terraform/state-versions/{pair[1]}/outputs"
    )
    assert {item["name"]: item["value"] for item in listed.json()} == {"open": "shown", "closed": None}
    path = f"/terraform/state-versions/{pair[1]}/outputs/closed"
    get(session, scene, path, Role.APPROVER, code=403)
    assert get(session, scene, path)["value"] == "planted-secret"
    get(session, scene, f"{path}-not", code=404)
    event = session.scalars(select(AuditEvent).filter_by(action="state.output_read")).one()
    assert event.evidence["output"] == "closed"
    assert "planted-secret" not in str(event.evidence)


def test_values_that_only_sluice_knows_to_be_sensitive_are_shown_to_no_viewer(
    session: Session, scene: Scene, store: Store
) -> None:
    """The configuration does not declare its variables sensitive, so the engine marks nothing that they flow into."""
    plain, inner = "planted-plain-secret", "planted-inner-secret"
    scene.put_variable(plain, key="plain", sensitive=True)
    scene.put_variable(f'{{ user = "x", password = "{inner}" }}', key="database", sensitive=True, is_hcl=True)
    encoded = base64.b64encode(f"#!{plain}\n".encode()).decode()
    outputs = {
        "open": {"value": "shown", "type": "string"},
        "url": {"value": f"postgres://x:{inner}@db", "type": "string"},
        "start": {"value": {"user_data": encoded}, "type": ["object", {"user_data": "string"}]},
    }
    resources = [states.resource(1), states.resource(2)]
    before = store(states.document(resources, 1)).id
    for found, value in zip(resources, (encoded, f"password={inner}"), strict=True):
        found["instances"][0]["attributes"]["user_data"] = value
    after = store(states.document(resources, 2, outputs=outputs)).id
    diff = get(session, scene, f"/terraform/state-versions/{before}/diff/{after}", Role.VIEWER)
    listed: Any = get(session, scene, f"/terraform/workspaces/{scene.workspace.id}/outputs", Role.VIEWER)
    shown = json.dumps([diff, listed])
    assert not any(secret in shown for secret in (plain, inner, encoded))
    assert {item["name"]: (item["value"], item["sensitive"]) for item in listed} == {
        "open": ("shown", False),
        "url": (None, True),
        "start": (None, True),
    }
    assert get(session, scene, f"/terraform/state-versions/{after}/outputs/url")["value"] == f"postgres://x:{inner}@db"


def test_facets_say_what_resources_can_be_narrowed_to(session: Session, scene: Scene, pair: tuple[str, str]) -> None:
    found = get(session, scene, f"/terraform/state-versions/{pair[0]}/resource-facets")
    assert found["total"] == 250
    assert found["types"] == [{"value": "aws_eip", "count": 125}, {"value": "aws_instance", "count": 125}]
    assert found["modes"] == [{"value": "managed", "count": 250}]
    assert {"value": "module.cell[3]", "count": 13} in found["modules"]  # type: ignore[operator]
    assert [item["count"] for item in found["providers"]] == [250]  # type: ignore[attr-defined]
