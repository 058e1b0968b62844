"""Fan-out of streams to WebSocket watchers within one process.

One follower task a watched run reads the stream once and encodes each batch once; every watcher sends the encoded
frames at its own pace. One that falls behind the kept frames reads from the database by its own cursor, so a slow
watcher slows nobody.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import redis.asyncio
from starlette.concurrency import run_in_threadpool

from app.core.broker import redis_url
from app.core.db import unit_of_work
from app.progress import service
from app.progress.doorbell import channel
from app.progress.schemas import ProgressPage

_log = logging.getLogger(__name__)
POLL_SECONDS = 0.5
BATCH_SECONDS = 0.005
BATCH_SECONDS_OF_MANY = 0.05
MANY_WATCHERS = 20
_KEPT_FRAMES = 256


@dataclass(frozen=True)
class Frame:
    """One encoded batch: records ``first`` up to, not including, ``next``."""

    first: int
    next: int
    closed: bool
    text: str


def encode(first: int, page: ProgressPage) -> Frame:
    """Return a page as a frame of the WebSocket protocol."""
    body = page.model_dump_json()
    return Frame(first, page.next, page.closed, '{"type":"records",' + body[1:])


async def load(run_id: str, organization_id: str, after: int) -> Frame:
    """Read one batch from the database, off the event loop."""

    def work() -> ProgressPage:
        with unit_of_work() as session:
            return service.read(session, run_id, organization_id=organization_id, after=after, limit=2000)

    return encode(after, await run_in_threadpool(work))


class Follower:
    """Follows one run's stream for all of this process's watchers."""

    def __init__(self, run_id: str, organization_id: str, start: int) -> None:
        self.run_id = run_id
        self.organization_id = organization_id
        self.watchers = 0
        self.next = start
        self.closed = False
        self.frames: deque[Frame] = deque(maxlen=_KEPT_FRAMES)
        self.grown = asyncio.Condition()
        self.rung = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Read whatever is new, whenever the doorbell rings or the poll interval passes, until the stream is closed."""
        while not self.closed:
            try:
                frame = await load(self.run_id, self.organization_id, self.next)
            except Exception:
                _log.exception("stream not readable now; trying again", extra={"run_id": self.run_id})
                await asyncio.sleep(POLL_SECONDS)
                continue
            if frame.next > self.next or frame.closed:
                async with self.grown:
                    self.frames.append(frame)
                    self.next = frame.next
                    self.closed = frame.closed
                    self.grown.notify_all()
                await asyncio.sleep(BATCH_SECONDS if self.watchers < MANY_WATCHERS else BATCH_SECONDS_OF_MANY)
                continue
            self.rung.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.rung.wait(), POLL_SECONDS)

    async def after(self, cursor: int, timeout_seconds: float) -> Frame | None:
        """Return the next frame for a watcher at ``cursor``; None when nothing came within the time-out."""
        async with self.grown:
            if cursor >= self.next and not self.closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.grown.wait(), timeout_seconds)
            for frame in self.frames:
                if frame.first == cursor and (frame.next > cursor or frame.closed):
                    return frame
            behind = cursor < self.next or self.closed
        return await load(self.run_id, self.organization_id, cursor) if behind else None


class Hub:
    """All followers of this process, and its one subscription to the doorbell."""

    def __init__(self) -> None:
        self._followers: dict[str, Follower] = {}
        self._listener: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, run_id: str, organization_id: str, cursor: int) -> AsyncIterator[Follower]:
        """Follow a run while the block lasts; the last watcher's leaving ends the follower."""
        follower = self._followers.get(run_id)
        if follower is None:
            follower = self._followers[run_id] = Follower(run_id, organization_id, cursor)
            follower.task = asyncio.create_task(follower.run())
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        follower.watchers += 1
        try:
            yield follower
        finally:
            follower.watchers -= 1
            if follower.watchers == 0:
                self._followers.pop(run_id, None)
                if follower.task is not None:
                    follower.task.cancel()

    async def _listen(self) -> None:
        """Ring followers as Redis says; when Redis is gone they poll, and this tries again."""
        url = redis_url()
        if url is None:
            return
        prefix = channel("")
        while self._followers:
            client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=1)
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.psubscribe(prefix + "*")
                    while self._followers:
                        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                        if message is None:
                            continue
                        follower = self._followers.get(message["channel"].decode().removeprefix(prefix))
                        if follower is not None:
                            follower.rung.set()
            except (redis.RedisError, OSError) as error:
                _log.warning("doorbell not heard; polling", extra={"error": str(error)})
                await asyncio.sleep(1)
            finally:
                await client.aclose()
