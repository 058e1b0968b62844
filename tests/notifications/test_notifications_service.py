import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.core.outgoing import OutgoingRefused
from app.notifications import service
from app.notifications.errors import NotificationNameTaken, NotificationNotFound
from app.notifications.schemas import DestinationChange
from app.workspaces.errors import WorkspaceNotFound
from tests.factories.scene import new_scene
from tests.notifications.conftest import Desk

URL = "https://hooks.example.org/services/T0/secret-path"


def test_create_shows_the_secret_once_and_the_address_never(desk: Desk, session: Session) -> None:
    made = desk.add(URL)
    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    found = desk.get(made)
    assert (found.secret, found.url) == (None, "https://hooks.example.org/…")
    row = session.execute(text("SELECT * FROM notification_destinations")).mappings().one()
    assert b"secret-path" not in bytes(row["sealed_url"])
    events = session.execute(text("SELECT evidence FROM audit_events WHERE action = 'notification.created'")).scalars()
    assert "secret-path" not in str(list(events))


@pytest.mark.parametrize("url", ["https://10.0.0.1/x", "https://[::ffff:127.0.0.9]/x", "http://8.8.8.8/x", "ftp://x/"])
def test_create_with_an_address_that_is_not_permitted_is_refused(desk: Desk, url: str) -> None:
    with pytest.raises(OutgoingRefused):
        desk.add(url)
    assert desk.all() == []


def test_create_twice_under_one_name_and_of_no_workspace_is_refused(desk: Desk) -> None:
    desk.add(URL, name="one")
    with pytest.raises(NotificationNameTaken):
        desk.add(URL, name="one")
    with pytest.raises(WorkspaceNotFound):
        desk.add(URL, name="two", workspaces=["nothing"])


def test_run_at_the_gate_tells_who_wants_to_hear_of_it(desk: Desk, sent_jobs: list[object]) -> None:
    wants = desk.add(URL)
    others = [
        desk.add(URL, events=["applied"]),
        desk.add(URL, is_enabled=False),
        desk.add(URL, tag="not-its-tag"),
    ]
    its = desk.add(URL, workspaces=[desk.scene.workspace.name])
    run_id = desk.scene.at_gate()
    for destination in (wants, its):
        (told,) = desk.deliveries(destination)
        assert (told.event, told.payload["run"]["id"], told.status) == ("waiting", run_id, "pending")
        assert told.payload["workspace"]["name"] == desk.scene.workspace.name
        assert (service.DELIVER_TASK, (told.id,), "control") in sent_jobs
    assert [desk.deliveries(other) for other in others] == [[], [], []]


def test_tag_of_the_workspace_is_looked_at_when_it_happens(desk: Desk) -> None:
    made = desk.add(URL, tag="prod")
    desk.scene.change(tags=["prod", "other"])
    desk.scene.at_gate()
    assert len(desk.deliveries(made)) == 1


def test_transition_that_is_rolled_back_tells_nobody(desk: Desk) -> None:
    made = desk.add(URL)
    job = desk.scene.claimed(desk.scene.request())
    with pytest.raises(RuntimeError), unit_of_work() as opened:
        from app.runs.machine import Facts, Trigger
        from app.runs.models import TerraformRun
        from app.runs.transition import transition

        run = opened.get(TerraformRun, job.run_id)
        assert run is not None
        transition(opened, run, Trigger.FAIL, Facts())
        raise RuntimeError
    assert desk.deliveries(made) == []


def test_speculative_run_and_the_apply_itself_tell_nobody(desk: Desk) -> None:
    made = desk.add(URL, events=["applied", "errored"])
    job = desk.scene.claimed(desk.scene.request(speculative=True))
    desk.scene.fail(job)
    desk.scene.quiesce(job)
    run_id, applying = desk.scene.applying()
    desk.scene.apply_to_end(applying)
    (told,) = desk.deliveries(made)
    assert (told.event, told.payload["run"]["id"]) == ("applied", run_id)


def test_halt_tells_each_destination_once_however_many_runs_it_stops(desk: Desk) -> None:
    every, its, other = desk.add(URL), desk.add(URL, tag="prod"), desk.add(URL, events=["errored"])
    for _ in range(3):
        desk.scene.at_gate()
    before = len(desk.deliveries(every))
    desk.scene.halt("organization")
    desk.scene.halt("organization")
    told = [found for found in desk.deliveries(every) if found.event == "halted"]
    assert len(desk.deliveries(every)) - before == len(told) == 1
    assert told[0].payload["halt"]["runs"] == 3
    assert len(desk.deliveries(its)) == 1
    assert desk.deliveries(other) == []


def test_halt_of_everything_tells_a_tenant_of_its_own_runs_alone(desk: Desk) -> None:
    every = desk.add(URL)
    operator = new_scene(is_operator=True)
    desk.scene.at_gate()
    for _ in range(2):
        operator.at_gate()
    operator.halt("everything")
    [told] = [found for found in desk.deliveries(every) if found.event == "halted"]
    assert told.payload["halt"]["runs"] == 1


def test_halt_of_a_workspace_tells_who_hears_of_it(desk: Desk) -> None:
    made, other = desk.add(URL, workspaces=[desk.scene.workspace.id]), desk.add(URL, tag="prod")
    desk.scene.halt("workspace")
    assert [found.event for found in desk.deliveries(made)] == ["halted"]
    assert desk.deliveries(other) == []


def test_change_narrows_widens_disables_and_rotates(desk: Desk) -> None:
    made = desk.add(URL, tag="prod")

    def change(**given: object) -> service.DestinationOut:
        with unit_of_work() as session:
            return service.change(session, desk.scene.admin, made.name, DestinationChange.model_validate(given))

    assert change(workspaces=[desk.scene.workspace.name]).workspaces == [desk.scene.workspace.id]
    assert (change(tag=None).workspaces, change().tag) == (None, None)
    assert change(new_secret=True).secret not in {None, made.secret}
    desk.scene.at_gate()
    assert change(is_enabled=False).is_enabled is False
    assert [found.status for found in desk.deliveries(made)] == ["dropped"]
    with pytest.raises(OutgoingRefused):
        change(url="https://127.0.0.9/")


def test_remove_takes_deliveries_along(desk: Desk) -> None:
    made = desk.add(URL)
    desk.scene.at_gate()
    with unit_of_work() as session:
        service.remove(session, desk.scene.admin, made.id)
    with pytest.raises(NotificationNotFound):
        desk.deliveries(made)
