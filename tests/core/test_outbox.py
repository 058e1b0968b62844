"""What a Redis that is stopped, or frozen, costs those who have something to tell it: next to nothing."""

import json
import logging
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace

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
from tests.support.waiting import PATIENCE_SECONDS

COMMITS = 20


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


def tell_much(name: str = "run") -> None:
    """Commit and ring often."""
    for number in range(COMMITS):
        with unit_of_work() as session:
            jobs.enqueue(session, "runs.sweep", f"{name}-{number}")
            db.after_commit(session, lambda: doorbell().ring("run-1", 1))


def tell_much_while_nothing_is_told() -> None:
    """Commit and ring often while who tells Redis is held up; it goes on when all of them have committed."""
    may_tell = threading.Event()
    outbox().put(lambda: may_tell.wait(PATIENCE_SECONDS))
    tell_much()
    assert not outbox().drain(0), "no commit waits for who tells Redis"
    may_tell.set()
    assert outbox().drain(PATIENCE_SECONDS)


def dropped(caplog: pytest.LogCaptureFixture) -> list[int]:
    """Return how much was dropped at each failure."""
    return [vars(record)["dropped"] for record in caplog.records if record.message.startswith("Redis could not be")]


def waiting_jobs(name: str = "run") -> int:
    """Return how many jobs of what was told under this name have reached the broker."""
    with redis.Redis.from_url(broker.redis_url() or "") as connection:
        messages: list[bytes] = connection.lrange("control", 0, -1)  # type: ignore[assignment]  # typed as if awaited
    return sum(f"'{name}-" in json.loads(message)["headers"]["argsrepr"] for message in messages)


def test_jobs_and_rings_arrive_in_order_and_leave_no_thread_behind(server: gateway.Server) -> None:
    with redis.Redis.from_url(broker.redis_url() or "") as connection, connection.pubsub() as heard:
        heard.subscribe(channel("run-1"))
        tell_much()
        assert outbox().drain(PATIENCE_SECONDS)
        assert waiting_jobs() == COMMITS
        assert not [thread for thread in threading.enumerate() if thread.name == "outbox"]
        rings = [heard.get_message(timeout=PATIENCE_SECONDS) for _ in range(1 + COMMITS)]
    assert [ring["type"] for ring in rings if ring is not None] == ["subscribe", *["message"] * COMMITS]


def test_frozen_redis_costs_no_commit_anything_and_the_thread_one_try_and_is_told_again_once_it_answers(
    server: gateway.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    passed = [0.0]
    monkeypatch.setattr(outboxes, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    tell_much()
    assert outbox().drain(PATIENCE_SECONDS)
    server.send(signal.SIGSTOP)
    with caplog.at_level(logging.WARNING):
        tell_much_while_nothing_is_told()
    assert dropped(caplog) == [2 * COMMITS - 1]
    assert outbox().is_silent
    assert not jobs.send("runs.sweep")
    server.send(signal.SIGCONT)
    passed[0] += outboxes.SILENCE_SECONDS
    tell_much("later")
    assert outbox().drain(PATIENCE_SECONDS)
    assert waiting_jobs("later") == COMMITS


def test_stopped_redis_costs_no_commit_anything_and_the_thread_one_try(
    server: gateway.Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.send(signal.SIGKILL)
    server.wait(PATIENCE_SECONDS)
    with caplog.at_level(logging.WARNING):
        tell_much_while_nothing_is_told()
    assert dropped(caplog) == [2 * COMMITS - 1]


def test_failure_drops_what_waits_and_silences_everybody() -> None:
    told: list[int] = []
    go, own = threading.Event(), Outbox(silence_seconds=60)

    def fail() -> None:
        go.wait(PATIENCE_SECONDS)
        raise OSError("gone")

    assert own.put(fail)
    assert own.put(lambda: told.append(1))
    assert not own.drain(0.05)
    go.set()
    assert own.drain(PATIENCE_SECONDS)
    assert told == []
    assert not own.put(lambda: told.append(2))


def test_more_than_can_wait_is_dropped() -> None:
    told: list[int] = []
    go, own = threading.Event(), Outbox(most_waiting=2)
    begun = threading.Event()
    own.put(lambda: (begun.set(), go.wait(PATIENCE_SECONDS)))
    assert begun.wait(PATIENCE_SECONDS)
    assert [own.put(lambda number=number: told.append(number)) for number in range(3)] == [True, True, False]  # type: ignore[misc]
    go.set()
    assert own.drain(PATIENCE_SECONDS)
    assert told == [0, 1]
