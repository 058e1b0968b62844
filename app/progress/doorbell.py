"""Redis as a doorbell: says that a stream has grown. Losing a ring costs a poll interval, never a record."""

from collections.abc import Mapping
from functools import lru_cache, partial

import redis

from app.core.broker import redis_url
from app.core.outbox import outbox


def channel(run_id: str) -> str:
    """Return the Redis channel of a run."""
    return f"sluice:progress:{run_id}"


class Doorbell:
    """Rings without ever failing the caller, or holding it up: the process's outbox does it."""

    def __init__(self, url: str | None) -> None:
        self._client = (
            None
            if url is None
            else redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5, health_check_interval=30)
        )

    def ring(self, run_id: str, next_offset: int) -> None:
        """Tell watchers that the run's stream has reached ``next_offset``."""
        self.ring_all({run_id: next_offset})

    def ring_all(self, offsets: Mapping[str, int]) -> None:
        """Tell the watchers of many runs."""
        if self._client is not None and offsets:
            outbox().put(partial(_publish, self._client, dict(offsets)))


def _publish(client: "redis.Redis", offsets: Mapping[str, int]) -> None:
    with client.pipeline(transaction=False) as together:
        for run_id, next_offset in offsets.items():
            together.publish(channel(run_id), str(next_offset))
        together.execute()


@lru_cache(maxsize=1)
def doorbell() -> Doorbell:
    """Return this process's doorbell."""
    return Doorbell(redis_url())
