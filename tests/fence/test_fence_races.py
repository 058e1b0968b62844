"""Who wins at the fence, with real commits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.fence import service
from app.fence.errors import Halted

pytestmark = pytest.mark.races

OPERATOR = Actor(id="user-1", kind="person", name="Olga", organization_id="org-1")


@pytest.fixture(autouse=True)
def _fences(real_database: str) -> None:
    with unit_of_work() as session:
        service.create_everything(session)
        for organization_id in ("org-1", "org-2"):
            service.create_fence(session, "organization", organization_id, organization_id)
        service.create_fence(session, "workspace", "ws-1", "org-1")


@contextmanager
def in_background(work: Callable[[], None]) -> Iterator[threading.Thread]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield thread
    thread.join(10)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def _halt(fence_id: str) -> None:
    with unit_of_work("halt") as session:
        service.raise_fence(session, fence_id, halt_id="halt-1", actor=OPERATOR, reason="test")


@pytest.mark.parametrize("fence_id", ["everything", "org-1", "ws-1"])
def test_halt_waits_for_a_start_that_was_first_and_stops_the_next(fence_id: str) -> None:
    halted = threading.Event()

    def halt() -> None:
        _halt(fence_id)
        halted.set()

    with unit_of_work() as start:
        service.hold_shared(start, "org-1", "ws-1")
        with in_background(halt) as thread:
            assert not halted.wait(0.2)
            start.commit()
            thread.join(10)
    assert halted.is_set()
    with pytest.raises(Halted), unit_of_work() as session:
        service.hold_shared(session, "org-1", "ws-1")


def test_start_behind_a_halt_sees_it_although_it_began_before(real_database: str) -> None:
    outcome: list[str] = []

    def start() -> None:
        try:
            with unit_of_work() as session:
                service.hold_shared(session, "org-1", "ws-1")
            outcome.append("started")
        except Halted as error:
            outcome.append(error.fields["halt"]["id"])

    with unit_of_work("halt") as halting:
        service.raise_fence(halting, "org-1", halt_id="halt-1", actor=OPERATOR, reason="test")
        with in_background(start) as thread:
            thread.join(0.2)
            assert outcome == []
            halting.commit()
    assert outcome == ["halt-1"]


def test_halt_is_not_starved_by_a_stream_of_starts() -> None:
    stop, refused = threading.Event(), threading.Event()

    def starts() -> None:
        while not stop.is_set():
            try:
                with unit_of_work() as session:
                    service.hold_shared(session, "org-1", "ws-1")
                    time.sleep(0.05)
            except Halted:
                refused.set()
                return

    with in_background(starts), in_background(starts), in_background(starts), in_background(starts):
        time.sleep(0.1)
        _halt("everything")
        was_refused = refused.wait(60)
        stop.set()
    assert was_refused


def test_starts_share_and_other_organizations_are_not_held_up() -> None:
    with unit_of_work() as first, unit_of_work() as second, unit_of_work("halt") as halting:
        service.hold_shared(first, "org-1", "ws-1")
        service.hold_shared(second, "org-1", "ws-1")
        service.raise_fence(halting, "org-2", halt_id="halt-2", actor=OPERATOR, reason="theirs")


def test_two_halts_of_one_fence_leave_the_first(real_database: str) -> None:
    seen: list[str | None] = []

    def second() -> None:
        with unit_of_work("halt") as session:
            fence = service.raise_fence(session, "org-1", halt_id="halt-2", actor=OPERATOR, reason="second")
            seen.append(fence.halt_id)

    with unit_of_work("halt") as first:
        service.raise_fence(first, "org-1", halt_id="halt-1", actor=OPERATOR, reason="first")
        with in_background(second) as thread:
            thread.join(0.2)
            first.commit()
    assert seen == ["halt-1"]
