"""What a worker does when its broker goes away."""

import pytest
from kombu import Connection, Consumer, Queue

from app.core import broker, jobs


def test_channel_with_unacknowledged_messages_is_closed_after_its_broker_was_lost(redis_url: str) -> None:
    assert jobs.send("runs.sweep")
    got: list[object] = []
    with broker.celery_app().connection_for_read() as connection:
        channel = connection.default_channel
        with Consumer(channel, [Queue("control")], callbacks=[lambda _, message: got.append(message)]):
            connection.drain_events(timeout=5)
            assert got
            lose(connection)
            # Raised here, an error ends the whole worker.
            channel.close()


def lose(connection: Connection) -> None:
    """Bring a connection to where Celery has it when it closes what is left of a lost one."""
    channel = connection.default_channel
    channel._disconnect_pools()
    connection.transport.client = None


def test_worker_tries_to_reach_its_broker_for_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_REDIS_URL", "redis://127.0.0.1:1/0")
    broker.celery_app.cache_clear()
    try:
        assert broker.celery_app().conf.broker_connection_max_retries is None
    finally:
        broker.celery_app.cache_clear()
