"""Tasks of notifications: thin. What is sent is sent by threads of its own: a slow receiver holds up no other job."""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

from celery import Celery

from app.notifications import sending
from app.notifications.service import DELIVER_TASK

SWEEP_TASK = "notifications.sweep"
REMOVE_TASK = "notifications.remove_old"
SENDERS = 4
MOST_WAITING = 200
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_under_way: set[str] = set()


@lru_cache(maxsize=1)
def _senders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SENDERS, thread_name_prefix="notify")


def hand_over(delivery_id: str) -> Future[bool] | None:
    """Let a sender make the next attempt; None when this process has too many or this one waiting: the sweep comes."""
    with _lock:
        if delivery_id in _under_way or len(_under_way) >= MOST_WAITING:
            return None
        _under_way.add(delivery_id)
    return _senders().submit(_deliver, delivery_id)


def _deliver(delivery_id: str) -> bool:
    try:
        return sending.deliver(delivery_id)
    except Exception:
        _log.exception("a notification was not sent; its claim lapses", extra={"delivery": delivery_id})
        return False
    finally:
        with _lock:
            _under_way.discard(delivery_id)


def sweep() -> int:
    """Hand over what is due; return how much."""
    return sum(1 for delivery_id in sending.due(MOST_WAITING) if hand_over(delivery_id) is not None)


def register(application: Celery) -> None:
    """Register the tasks of notifications with a worker's Celery application."""

    @application.task(name=DELIVER_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _deliver_task(delivery_id: str) -> None:
        hand_over(delivery_id)

    @application.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        sweep()

    @application.task(name=REMOVE_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _remove() -> None:
        sending.remove_old()
