"""The broker that jobs travel by: its address, and this process's Celery application.

Apart from `jobs`, so that beat, which only sends, loads neither database nor web framework.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import redis
from celery import Celery
from celery.app.amqp import AMQP
from kombu import pools
from kombu.connection import Connection
from kombu.transport import redis as kombu_redis

from app.core.settings import get_settings

_RETRY_SECONDS = 1.0
_PING_SECONDS = 1.0


def redis_url() -> str | None:
    """Return the broker's address, or None when no Redis is configured."""
    value = get_settings().redis_url
    return value.get_secret_value() if value is not None else None


def is_reachable() -> bool:
    """Whether the broker answers within a second."""
    url = redis_url()
    if url is None:
        return False
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=_PING_SECONDS, socket_timeout=_PING_SECONDS
        ) as connection:
            connection.ping()
    except (redis.RedisError, OSError):
        return False
    return True


def _broker_url() -> str:
    url = redis_url()
    if url is None:
        return "memory://"
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


class _Channel(kombu_redis.Channel):
    """A channel that says of a connection which is gone that it is gone.

    kombu raises ``AttributeError`` for it: when a task that outlived its connection is acknowledged, and when what is
    not acknowledged is put back as a lost connection is closed. Celery takes that for a fault of its own, and the
    worker ends; a connection error it knows how to outlive.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("The connection to the broker was lost.")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]  # kombu is untyped


kombu_redis.Transport.Channel = _Channel


class _Connection(Connection):
    """A connection that is tried every second, however long its broker has been away: kombu waits ever longer."""

    def _ensure_connection(self, *arguments: Any, **options: Any) -> Any:
        pauses = {"interval_start": _RETRY_SECONDS, "interval_step": 0, "interval_max": _RETRY_SECONDS}
        return super()._ensure_connection(*arguments, **(pauses | options))  # type: ignore[no-untyped-call]  # kombu


class _Amqp(AMQP):  # type: ignore[misc]  # Celery is untyped
    Connection = _Connection


# Short, since nobody should hear late that a broker is stopped or hangs; a worker's own connection is more patient.
_SENDING = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5, "max_retries": 0, "interval_start": 0.0}


@lru_cache(maxsize=1)
def celery_app() -> Celery:
    """Return this process's Celery application: JSON only, late acknowledgement, one message at a time."""
    application = Celery("sluice", broker=_broker_url(), amqp=_Amqp)
    application.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_default_queue="control",
        task_create_missing_queues=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 6 * 3600,
            "socket_connect_timeout": 2,
            "socket_timeout": 3,
            "max_retries": 1,
        },
        task_publish_retry=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        enable_utc=True,
    )
    return application


@contextmanager
def sending() -> Iterator[Any]:
    """Yield a producer for ``send_task`` that waits for a broker no longer than a moment."""
    connection = celery_app().connection_for_write(transport_options=_SENDING)
    with pools.producers[connection].acquire(block=True, timeout=5) as producer:
        yield producer
