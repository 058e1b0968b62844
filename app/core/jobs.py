"""Background jobs: sent after commit, carrying ids only.

A job may come twice or never (a sweep sends again what was lost between commit and broker), so every task opens with a
compare-and-swap and returns quietly when it loses.
"""

import logging
import time
from functools import lru_cache, partial
from typing import Literal

from celery import Celery
from sqlalchemy.orm import Session

from app.core.db import after_commit
from app.core.settings import get_settings

Queue = Literal["terraform", "control"]
_SILENCE_SECONDS = 3.0
_silent_until = 0.0
_log = logging.getLogger(__name__)


def redis_url() -> str | None:
    """Return the broker's address, or None when no Redis is configured."""
    value = get_settings().redis_url
    return value.get_secret_value() if value is not None else None


def _broker_url() -> str:
    url = redis_url()
    if url is None:
        return "memory://"
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


@lru_cache(maxsize=1)
def celery_app() -> Celery:
    """Return this process's Celery application: JSON only, late acknowledgement, one message at a time."""
    application = Celery("sluice", broker=_broker_url())
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


def enqueue(session: Session, task: str, *ids: str, queue: Queue = "control") -> None:
    """Send ``task`` with ``ids`` once the session's transaction has committed; forget it on rollback.

    A broker that can't be reached is logged, never raised: PostgreSQL is the truth, and a sweep sends again.
    """
    after_commit(session, partial(_send_quietly, task, *ids, queue=queue))


def send(task: str, *ids: str, queue: Queue = "control") -> bool:
    """Send ``task`` now. Return False, after a warning in the log, when the broker can't be reached.

    For some seconds after a failure nothing is tried: each would wait for the same time-out, and a request with it.
    """
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        celery_app().send_task(task, args=list(ids), queue=queue)
    except Exception as error:  # any transport's own error type: the sweep sends again
        _silent_until = time.monotonic() + _SILENCE_SECONDS
        _log.warning(
            "job not sent; the sweep will send it again", extra={"task": task, "ids": ids, "error": str(error)}
        )
        return False
    return True


def _send_quietly(task: str, *ids: str, queue: Queue) -> None:
    send(task, *ids, queue=queue)
