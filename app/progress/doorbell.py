"""Redis as a doorbell: says that a stream has grown. Losing a ring costs a poll interval, never a record."""

import logging
import threading
import time
from collections.abc import Mapping
from functools import lru_cache

import redis

from app.core.broker import redis_url

_log = logging.getLogger(__name__)
_SILENCE_SECONDS = 5.0


def channel(run_id: str) -> str:
    """Return the Redis channel of a run."""
    return f"sluice:progress:{run_id}"


class Doorbell:
    """Rings without ever failing the caller.

    After a failure it is silent for some seconds, so that a dead Redis costs its time-out once and not at every append.
    """

    def __init__(self, url: str | None) -> None:
        self._client = (
            None
            if url is None
            else redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5, health_check_interval=30)
        )
        self._silent_until = 0.0

    def ring(self, run_id: str, next_offset: int) -> None:
        """Tell watchers that the run's stream has reached ``next_offset``."""
        if self._client is None or time.monotonic() < self._silent_until:
            return
        try:
            self._client.publish(channel(run_id), str(next_offset))
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + _SILENCE_SECONDS
            _log.warning("doorbell not rung; watchers poll", extra={"run_id": run_id, "error": str(error)})

    def ring_all(self, offsets: Mapping[str, int]) -> None:
        """Tell the watchers of many runs, from a thread of its own: the caller waits for nothing."""
        if self._client is not None and offsets:
            threading.Thread(target=self._ring_each, args=(dict(offsets),), name="doorbell", daemon=True).start()

    def _ring_each(self, offsets: Mapping[str, int]) -> None:
        for run_id, next_offset in offsets.items():
            self.ring(run_id, next_offset)


@lru_cache(maxsize=1)
def doorbell() -> Doorbell:
    """Return this process's doorbell."""
    return Doorbell(redis_url())
