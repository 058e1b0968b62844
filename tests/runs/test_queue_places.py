"""The place in the queue, and what a run waits for, in code and words; the limit and the workers over the API."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.core.settings import get_settings
from app.executor.nursery import Child
from app.identity.roles import Role
from app.runs import place_repository, queueing, service, tasks
from app.runs.draining import Drain, Limits
from app.runs.models import Worker
from app.runs.pulse import Pulse
from app.runs.queue_schemas import QueuePlace
from app.runs.requesting import EXECUTE_TASK
from app.state import service as state
from app.state.schemas import LockRequest
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support import people
from tests.support.client import ActingClient
from tests.support.queries import counted


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    heard_of(busy=0)
    return new_scene(is_operator=True)


def heard_of(*, busy: int, permits: int = 4, seconds_ago: float = 0, name: str = "worker") -> None:
    seen = clock.now() - timedelta(seconds=seconds_ago)
    row = Worker(name=name, host="host", pid=1, permits=permits, busy=busy, started_at=seen, seen_at=seen)
    with unit_of_work() as session:
        place_repository.beat(session, row)


def place(scene: Scene, run_id: str) -> QueuePlace:
    with unit_of_work() as session:
        found = service.get(session, scene.admin, run_id).queue
    assert found is not None
    return found


def told(found: QueuePlace) -> tuple[int, str, str | None]:
    return found.position, found.code, found.waits_for.id if found.waits_for is not None else None


def limit(scene: Scene, most: int | None) -> None:
    with unit_of_work() as session:
        place_repository.set_limit(session, scene.organization_id, most)


def test_place_of_the_only_run_is_the_first_and_it_starts_any_moment(scene: Scene) -> None:
    assert told(place(scene, scene.request())) == (1, "starting", None)


def test_place_behind_a_run_at_work_names_it(scene: Scene) -> None:
    first = scene.claimed(scene.request())
    second, third = scene.request(), scene.request()
    assert told(place(scene, second)) == (1, "workspace_busy", first.run_id)
    assert told(place(scene, third)) == (2, "workspace_busy", first.run_id)
    assert place(scene, third).reason == f"Waits for {first.run_id} (plan), which is at work in this workspace."
    scene.settle(first)
    assert "is ending" in place(scene, second).reason
    scene.quiesce(first)
    assert told(place(scene, second)) == (1, "starting", None)
    assert told(place(scene, third)) == (2, "workspace_busy", second)
    assert "goes first" in place(scene, third).reason


def test_place_of_a_plan_is_behind_the_apply_that_is_approved_later(scene: Scene) -> None:
    gate = scene.at_gate()
    plan = scene.request()
    scene.approve(gate)
    apply = scene.child(gate)
    assert told(place(scene, apply)) == (1, "starting", None)
    assert told(place(scene, plan)) == (2, "workspace_busy", apply)


def test_place_of_a_speculative_run_does_not_wait_for_its_workspace(scene: Scene) -> None:
    scene.claimed(scene.request())
    scene.request()
    assert told(place(scene, scene.request(speculative=True))) == (1, "starting", None)


def test_place_in_a_locked_workspace_says_who_holds_the_lock(scene: Scene) -> None:
    waiting = scene.request()
    with unit_of_work() as session:
        state.lock_manually(session, scene.admin, scene.workspace.id, LockRequest(reason="moving the address"))
    found = place(scene, waiting)
    assert (found.code, found.reason) == ("workspace_locked", "Ada holds the state lock: moving the address.")
    assert found.lock is not None
    assert found.lock.kind == "manual"


def test_place_behind_an_orphaned_lock_says_whose_it_was(scene: Scene) -> None:
    _, job = scene.applying()
    waiting = scene.request()
    with unit_of_work() as session:
        state.mark_orphaned(session, scene.workspace.id, job.run_id)
    found = place(scene, waiting)
    assert found.code == "workspace_locked"
    assert found.reason == f"{job.run_id} died while it held the state lock. Release the lock to go on."


def test_place_of_an_organization_at_its_limit_tells_the_numbers(scene: Scene) -> None:
    scene.claimed(scene.request())
    limit(scene, 1)
    waiting = [second_workspace(scene).request() for _ in range(2)]
    found = place(scene, waiting[1])
    assert (found.position, found.line, found.code) == (2, "organization", "organization_limit")
    assert found.reason == "The organization executes 1 of at most 1 runs."


def test_place_counts_workspaces_in_turns(scene: Scene) -> None:
    limit(scene, 1)
    scene.claimed(scene.request(speculative=True))
    many = [scene.request(speculative=True) for _ in range(4)]
    other = second_workspace(scene)
    alone = other.request(speculative=True)
    assert place(scene, alone).position == 1, "its workspace executes nothing"
    assert [place(scene, run_id).position for run_id in many] == [2, 3, 4, 5]


def test_place_without_workers_or_with_all_of_them_busy(scene: Scene) -> None:
    waiting = scene.request()
    heard_of(busy=4)
    found = place(scene, waiting)
    assert (found.code, found.reason) == ("workers_busy", "Every worker is busy: 4 of 4 runs at once, on 1 worker.")
    heard_of(busy=0, seconds_ago=60)
    assert place(scene, waiting).code == "no_worker"
    heard_of(busy=0, permits=0, name="control only")
    assert place(scene, waiting).code == "no_worker"
    heard_of(busy=1, name="another")
    assert place(scene, waiting).code == "starting"


def test_place_is_told_of_queued_runs_only(scene: Scene) -> None:
    run_id = scene.request()
    scene.claimed(run_id)
    with unit_of_work() as session:
        assert service.get(session, scene.admin, run_id).queue is None


def test_list_tells_places_in_a_number_of_queries_that_does_not_grow(scene: Scene) -> None:
    def queries() -> int:
        with unit_of_work() as session, counted() as statements:
            service.page(session, scene.admin, PageParams(limit=100))
        return len(statements)

    scene.request()
    before = queries()
    for _ in range(3):
        space = second_workspace(scene)
        for _ in range(3):
            space.request()
    assert queries() == before
    with unit_of_work() as session:
        items = service.page(session, scene.admin, PageParams(limit=100)).items
    positions = sorted(item.queue.position for item in items if item.queue is not None)
    assert positions == [1, 2, 2, 2, 2, 3, 3, 3, 3, 4], "four may start; in three workspaces two wait behind one"


def test_place_of_another_organizations_runs_is_not_counted(scene: Scene) -> None:
    other = new_scene(name="other")
    for _ in range(3):
        other.request(speculative=True)
    assert place(scene, scene.request(speculative=True)).position == 1


def test_limit_is_set_read_and_audited(scene: Scene, client: ActingClient, sent_jobs: list[Any]) -> None:
    waiting = scene.request()
    sent_jobs.clear()
    admin = client.acting(scene.admin)
    answer = admin.put("/terraform/queue/limit", json={"own_limit": 3})
    assert answer.status_code == 200
    assert told_limit(answer.json()) == (3, False, 3, None)
    assert (answer.json()["queued"], answer.json()["executing"]) == (1, 0)
    assert sent_jobs == [(EXECUTE_TASK, (waiting,), "terraform")], "what may start by now is woken"
    none = admin.put("/terraform/queue/limit", json={"own_limit": None}).json()
    assert told_limit(none) == (None, False, None, None)
    default = admin.put("/terraform/queue/limit", json={"is_default": True}).json()
    assert told_limit(default) == (None, True, None, None)
    events = [item for item in admin.get("/audit").json()["items"] if item["action"] == "queue.limit_changed"]
    by_default, without = {"is_default": True, "own_limit": None}, {"is_default": False, "own_limit": None}
    three = {"is_default": False, "own_limit": 3}
    assert [item["evidence"]["limit"] for item in events] == [
        {"from": without, "to": by_default},
        {"from": three, "to": without},
        {"from": by_default, "to": three},
    ]


def test_limit_by_default_is_the_installation_s(
    scene: Scene, client: ActingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = get_settings().model_copy(update={"organization_concurrency": 5})
    monkeypatch.setattr(queueing, "get_settings", lambda: settings)
    admin = client.acting(scene.admin)
    assert told_limit(admin.get("/terraform/queue").json()) == (5, True, None, 5)
    none = admin.put("/terraform/queue/limit", json={"own_limit": None}).json()
    assert told_limit(none) == (None, False, None, 5)


def told_limit(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[name] for name in ("effective_limit", "is_default", "own_limit", "default_limit"))


@pytest.mark.parametrize(
    "body",
    [
        {"own_limit": -1},
        {"own_limit": 0},
        {"own_limit": "many"},
        {},
        {"is_default": False},
        {"is_default": True, "own_limit": 3},
    ],
)
def test_limit_that_is_none_is_refused(scene: Scene, client: ActingClient, body: dict[str, Any]) -> None:
    answer = client.acting(scene.admin).put("/terraform/queue/limit", json=body)
    assert answer.status_code == 422
    assert "own_limit" in answer.json()["detail"]


def test_limit_and_workers_are_an_admin_s(scene: Scene, client: ActingClient) -> None:
    with unit_of_work() as session:
        operator = people.person(session, scene.organization_id, Role.OPERATOR, Role.APPROVER).actor
    acting = client.acting(operator)
    assert acting.get("/terraform/queue").status_code == 200
    assert acting.put("/terraform/queue/limit", json={"own_limit": 1}).status_code == 403
    assert acting.get("/terraform/workers").status_code == 403


def test_workers_are_listed_and_where_they_run_for_the_operator_s_organization_only(
    scene: Scene, client: ActingClient
) -> None:
    heard_of(busy=2, seconds_ago=60, name="silent")
    page = client.acting(scene.admin).get("/terraform/workers").json()
    assert page["next_cursor"] is None
    assert [(item["name"], item["busy"], item["concurrency"], item["is_alive"]) for item in page["items"]] == [
        ("silent", 2, 4, False),
        ("worker", 0, 4, True),
    ]
    other = new_scene(name="other")
    masked = client.acting(other.admin).get("/terraform/workers").json()["items"]
    assert [(item["name"], item["host"], item["pid"], item["concurrency"]) for item in masked] == [
        ("worker 1", None, None, 4),
        ("worker 2", None, None, 4),
    ]


class Nowhere:
    def has_ended(self) -> bool:
        return False

    def start(self, target: str, payload: bytes) -> Child:
        raise AssertionError("nothing is started here")


@pytest.fixture
def executions() -> tasks.Executions:
    return tasks.Executions(Nowhere(), 3, Drain(Limits(600, 20)))


def test_pulse_notes_the_worker_and_takes_it_off_at_its_end(scene: Scene, executions: tasks.Executions) -> None:
    heard_of(busy=0, seconds_ago=7200, name="dead for long")
    pulse = Pulse(executions)
    pulse.beat()
    with unit_of_work() as session:
        names = [row.name for row in place_repository.workers(session)]
    assert tasks.this_worker().name in names
    assert "dead for long" not in names
    pulse.stop()
    with unit_of_work() as session:
        assert [row.name for row in place_repository.workers(session)] == ["worker"]


def test_place_in_the_organization_is_the_turn_in_which_runs_are_taken(scene: Scene) -> None:
    limit(scene, 1)
    holder = scene.claimed(scene.request(speculative=True))
    spaces = [second_workspace(scene) for _ in range(3)]
    _, apply = quiet(spaces[0], limit_of=scene)
    for number, space in enumerate(spaces):
        for _ in range(number + 1):
            space.request(speculative=True)
    with unit_of_work() as session:
        items = service.page(session, scene.admin, PageParams(limit=100), statuses=["queued"]).items
    told = {item.id: item.queue.position for item in items if item.queue is not None}
    assert sorted(told.values()) == list(range(1, 8)), "each has a place of its own"
    assert told[apply] == 1
    scene.fail(holder)
    scene.quiesce(holder)
    taken = []
    while (job := scene.claim_next()) is not None:
        taken.append(job.run_id)
        scene.fail(job)
        scene.quiesce(job)
    expected = sorted(told, key=told.__getitem__)
    # Which workspace is first within a turn is decided when it is taken: by who was served longest ago then.
    for turn in (slice(0, 1), slice(1, 4), slice(4, 6), slice(6, 7)):
        assert set(taken[turn]) == set(expected[turn])


def quiet(space: Scene, *, limit_of: Scene) -> tuple[str, str]:
    """Bring a plan through the gate in an organization that is at its limit."""
    limit(limit_of, None)
    made = space.approved()
    limit(limit_of, 1)
    return made
