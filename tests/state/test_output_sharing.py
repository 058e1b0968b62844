from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.identity.roles import Role
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support import people
from tests.support.client import ActingClient

Sent = list[tuple[str, tuple[str, ...], str]]


def path(scene: Scene) -> str:
    return f"/terraform/workspaces/{scene.workspace.name}/output-sharing"


def test_sharing_is_closed_until_it_is_set_and_is_audited(
    client: ActingClient, scene: Scene, session: Session, sent_jobs: Sent
) -> None:
    reader = second_workspace(scene)
    assert client.acting(scene.planner).get(path(scene)).json() == {"everyone": False, "readers": []}
    wanted = {"readers": [reader.workspace.name, reader.workspace.id]}
    answer = client.acting(scene.admin).put(path(scene), json=wanted)
    assert answer.json() == {
        "everyone": False,
        "readers": [{"id": reader.workspace.id, "name": reader.workspace.name}],
    }
    assert client.get(path(scene)).json() == answer.json()
    event = session.scalars(select(AuditEvent).filter_by(action="state.outputs_shared")).one()
    assert event.evidence == {"everyone": False, "reader_ids": [reader.workspace.id]}
    assert ("runs.supersede_moved", (scene.workspace.id,), "control") in sent_jobs
    assert client.put(path(scene), json={"everyone": True}).json() == {"everyone": True, "readers": []}


def test_sharing_with_another_organizations_workspace_is_refused(client: ActingClient, scene: Scene) -> None:
    other = new_scene()
    refused = client.acting(scene.admin).put(path(scene), json={"readers": [other.workspace.id]})
    assert (refused.status_code, refused.json()["code"]) == (404, "workspace_not_found")


def test_sharing_needs_the_right_to_read_what_is_shared(client: ActingClient, scene: Scene, session: Session) -> None:
    planner = people.person(session, scene.organization_id, Role.PLANNER, Role.APPROVER).actor
    assert client.acting(planner).put(path(scene), json={}).status_code == 403
    operator = people.person(session, scene.organization_id, Role.OPERATOR).actor
    narrow = type(operator)(
        **{**vars(operator), "permissions": operator.permissions - {"state:read-sensitive"}},
    )
    refused = client.acting(narrow).put(path(scene), json={"everyone": True})
    assert (refused.status_code, refused.json()["permission"]) == (403, "state:read-sensitive")
    assert client.acting(operator).put(path(scene), json={"everyone": True}).status_code == 200
