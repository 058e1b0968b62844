"""What a Redis that is stopped, or frozen, costs those who have something to tell it: next to nothing."""

import signal
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from sqlalchemy.orm import Session

from app.core import broker, db, jobs
from app.core import outbox as outboxes
from app.core.db import unit_of_work
from app.core.outbox import Outbox, outbox
from app.core.settings import get_settings
from app.embedded.redis import Redis
from app.executor import gateway
from app.progress.doorbell import channel, doorbell
from tests.support.database import temporary_home

COMMITS = 20
MOST_SECONDS = 0.2
FROZEN_SECONDS = 1.5


@pytest.fixture
def server(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[gateway.Server]:
    """A Redis of the test's own, to be ill-treated."""
    with temporary_home() as home:
        own = Redis(home)
        started = own.start()
        own.wait_ready(started)
        monkeypatch.setenv("SLUICE_REDIS_URL", own.url())
        clear()
        try:
            yield started
        finally:
            clear()
            started.send(signal.SIGCONT)
            own.stop(started)


def clear() -> None:
    """Forget what this process knows of a Redis."""
    for known in (get_settings, broker.celery_app, doorbell, outbox):
        known.cache_clear()


def tell_much() -> float:
    """Commit and ring often; return the seconds that it took those who did."""
    begun = time.monotonic()
    for number in range(COMMITS):
        with unit_of_work() as session:
            jobs.enqueue(session, "runs.sweep", f"run-{number}")
            db.after_commit(session, lambda: doorbell().ring("run-1", 1))
    return time.monotonic() - begun


def waiting_jobs() -> int:
    """Return how many jobs have reached the broker."""
    with redis.Redis.from_url(broker.redis_url() or "") as connection:
        return int(connection.llen("control"))  # type: ignore[arg-type]  # typed as if it were awaited


def test_jobs_and_rings_arrive_in_order_and_leave_no_thread_behind(server: gateway.Server) -> None:
    with redis.Redis.from_url(broker.redis_url() or "") as connection, connection.pubsub() as heard:
        heard.subscribe(channel("run-1"))
        tell_much()
        assert outbox().drain(5)
        assert waiting_jobs() == COMMITS
        assert not [thread for thread in threading.enumerate() if thread.name == "outbox"]
        rings = [heard.get_message(timeout=1) for _ in range(1 + COMMITS)]
    assert [ring["type"] for ring in rings if ring is not None] == ["subscribe", *["message"] * COMMITS]


def test_frozen_redis_costs_no_commit_anything_and_the_thread_little_and_is_told_again_once_it_answers(
    server: gateway.Server,
) -> None:
    tell_much()
    assert outbox().drain(5)
    server.send(signal.SIGSTOP)
    assert tell_much() < MOST_SECONDS
    begun = time.monotonic()
    assert outbox().drain(10)
    assert time.monotonic() - begun < FROZEN_SECONDS
    assert outbox().is_silent
    assert not jobs.send("runs.sweep")
    server.send(signal.SIGCONT)
    time.sleep(outboxes.SILENCE_SECONDS)
    before = waiting_jobs()
    tell_much()
    assert outbox().drain(5)
    assert waiting_jobs() == before + COMMITS


def test_stopped_redis_costs_no_commit_anything_and_the_thread_little(server: gateway.Server) -> None:
    server.send(signal.SIGKILL)
    server.wait(5)
    assert tell_much() < MOST_SECONDS
    begun = time.monotonic()
    assert outbox().drain(10)
    assert time.monotonic() - begun < MOST_SECONDS
    assert outbox().is_silent


def test_failure_drops_what_waits_and_silences_everybody() -> None:
    told: list[int] = []
    go, own = threading.Event(), Outbox(silence_seconds=60)

    def fail() -> None:
        go.wait(5)
        raise OSError("gone")

    assert own.put(fail)
    assert own.put(lambda: told.append(1))
    assert not own.drain(0.05)
    go.set()
    assert own.drain(5)
    assert told == []
    assert not own.put(lambda: told.append(2))


def test_more_than_can_wait_is_dropped() -> None:
    told: list[int] = []
    go, own = threading.Event(), Outbox(most_waiting=2)
    begun = threading.Event()
    own.put(lambda: (begun.set(), go.wait(5)))
    assert begun.wait(5)
    assert [own.put(lambda number=number: told.append(number)) for number in range(3)] == [True, True, False]  # type: ignore[misc]
    go.set()
    assert own.drain(5)
    assert told == [0, 1]
