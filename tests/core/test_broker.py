"""What a worker does when its broker goes away."""

import pytest
from kombu import Connection, Consumer, Message, Queue

from app.core import broker, jobs
from tests.support.waiting import PATIENCE_SECONDS


def test_message_of_a_lost_connection_is_a_connection_error_and_no_fault_that_ends_the_worker(redis_url: str) -> None:
    assert jobs.send("runs.sweep")
    got: list[Message] = []
    with broker.celery_app().connection_for_read() as connection:
        channel = connection.default_channel
        Consumer(channel, [Queue("control")], callbacks=[lambda _, message: got.append(message)]).consume()
        connection.drain_events(timeout=PATIENCE_SECONDS)
        [message] = got
        lose(connection)
        with pytest.raises(connection.connection_errors):
            message.ack()
        connection.maybe_close_channel(channel)
        channel.connection = None
        with pytest.raises(connection.connection_errors):
            message.ack()


def lose(connection: Connection) -> None:
    """Bring a connection to where Celery has it when it closes what is left of a lost one."""
    connection.default_channel._disconnect_pools()
    connection.transport.client = None


def test_worker_tries_to_reach_its_broker_for_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_REDIS_URL", "redis://127.0.0.1:1/0")
    broker.celery_app.cache_clear()
    try:
        assert broker.celery_app().conf.broker_connection_max_retries is None
    finally:
        broker.celery_app.cache_clear()


def test_broker_that_is_away_is_tried_every_second_and_not_ever_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_REDIS_URL", "redis://127.0.0.1:1/0")
    broker.celery_app.cache_clear()
    pauses: list[float] = []

    class Enough(Exception):
        pass

    def note(_error: Exception, pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 4:
            raise Enough

    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    try:
        with broker.celery_app().connection_for_read() as connection, pytest.raises(Enough):
            connection.ensure_connection(note, None)
    finally:
        broker.celery_app.cache_clear()
    assert pauses == [1.0] * 4


def test_broker_is_reachable_only_where_one_answers(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_PING_SECONDS", PATIENCE_SECONDS)
    assert broker.is_reachable()
    monkeypatch.setattr(broker, "redis_url", lambda: "redis://127.0.0.1:1/0")
    assert not broker.is_reachable()
