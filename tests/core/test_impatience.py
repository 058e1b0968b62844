"""What keeps a halt waiting is ended, at once when it does nothing; nothing else is, and who is ended can try again."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from app.core import impatience
from app.core.db import HALT_CONNECTIONS, unit_of_work
from app.core.middleware import LastResort
from app.fence import service as fence
from tests.factories.scene import Scene, new_scene
from tests.support.races import (
    SECONDS,
    Door,
    Holder,
    idle_holder,
    noted_looks,
    together,
    waiting_for_locks,
    working_holder,
)
from tests.support.waiting import until

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What holds up a halt is never very late, nor frozen. Returns how long it had waited at each look at that."""
    monkeypatch.setattr(impatience, "COMMIT_SECONDS", 600.0)
    monkeypatch.setattr(impatience, "FROZEN_SECONDS", 600.0)
    return noted_looks(monkeypatch)


def until_late(looks: list[float]) -> None:
    """Wait until it was looked for a while, and whoever may be ended by then has been."""
    until(lambda: looks[2:] and looks[-3] >= impatience.BUSY_SECONDS)


def starts_in(scene: Scene) -> Callable[[Session], None]:
    own = scene.admin.organization_id
    return lambda session: fence.hold_shared(session, own, scene.workspace.id)


def halt(scene: Scene) -> None:
    assert scene.halt("organization").runs.marked == 1


def test_idle_transaction_that_blocks_is_ended_and_its_work_undone_and_another_goes_on(scene: Scene) -> None:
    other, run_id = new_scene(), scene.request()
    blocker, bystander = idle_holder(starts_in(scene)), idle_holder(starts_in(other))
    halt(scene)
    assert isinstance(blocker.end(), OperationalError)
    assert bystander.end() is None
    assert scene.status(run_id) == "cancelled"
    scene.resume("organization")
    scene.request()


def test_idle_transaction_is_ended_also_by_who_ends_nobody_at_work(scene: Scene) -> None:
    blocker = idle_holder(starts_in(scene))
    with unit_of_work() as session, impatience.impatient(session, busy_seconds=None):
        fence.hold_exclusive(session, scene.organization_id)
    assert isinstance(blocker.end(), OperationalError)


def test_working_transaction_that_blocks_is_ended_after_a_moment(scene: Scene) -> None:
    scene.request()
    blocker = working_holder(starts_in(scene))
    begun = time.monotonic()
    halt(scene)
    assert time.monotonic() - begun >= impatience.BUSY_SECONDS
    assert isinstance(blocker.end(), OperationalError)


def test_transaction_that_is_committing_is_let_be(scene: Scene, looks: list[float]) -> None:
    scene.request()
    door = Door()
    with unit_of_work() as session:
        # A constraint that is looked at when everything else has been done makes a commit that takes long.
        session.execute(
            text(
                f"create function linger() returns trigger language plpgsql as"
                f" 'begin perform {door.passing}; return null; end'"
            )
        )
        session.execute(
            text(
                "create constraint trigger lingering after update on organizations deferrable initially deferred"
                " for each row execute function linger()"
            )
        )

    def touch(session: Session) -> None:
        starts_in(scene)(session)
        session.execute(text("update organizations set name = name"))

    committing = Holder(touch, lambda _: None)
    until(waiting_for_locks)
    with ThreadPoolExecutor(1) as aside:
        halting = aside.submit(halt, scene)
        until_late(looks)
        assert committing.is_there
        assert not halting.done()
        door.open()
        halting.result(SECONDS)
    assert committing.end() is None


def test_halt_ends_no_other_halt(scene: Scene, looks: list[float]) -> None:
    scene.request()
    holder = idle_holder(lambda session: fence.hold_exclusive(session, scene.admin.organization_id), "halt")
    with ThreadPoolExecutor(1) as aside:
        halting = aside.submit(halt, scene)
        until_late(looks)
        assert not halting.done()
        assert holder.end() is None
        halting.result(SECONDS)


def test_request_whose_transaction_was_ended_is_told_to_send_it_again_and_passes_then(scene: Scene) -> None:
    scene.request()
    blocker = idle_holder(starts_in(scene))
    halt(scene)
    errors = [blocker.end()]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        error = errors.pop() if errors else None
        if error is not None:
            raise error
        await run_in_threadpool(scene.resume, "organization")
        await PlainTextResponse(await run_in_threadpool(scene.request))(scope, receive, send)

    client = TestClient(LastResort(answer))
    refused = client.get("/")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert "Send it again" in refused.json()["detail"]
    assert client.get("/").text.startswith("run-")


def test_as_many_halts_at_once_as_there_are_connections_for_end_what_blocks_them_all(scene: Scene) -> None:
    scene.request()
    blocker = idle_holder(starts_in(scene))
    together(*[lambda: scene.halt("organization")] * HALT_CONNECTIONS)
    assert isinstance(blocker.end(), OperationalError)
