"""Fan-out of streams to watchers within one process.

One follower task a watched run reads what is new once and encodes each batch once. Who is up to date is handed the
encoded frame at once, without waiting for anybody; who is behind, or reads slowly, reads by its own cursor from the
frames that are kept, else from the database. So a slow watcher slows neither the run nor another watcher.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import redis.asyncio
from starlette.concurrency import run_in_threadpool

from app.core.broker import redis_url
from app.core.db import unit_of_work
from app.progress import service
from app.progress.doorbell import channel
from app.progress.frames import Frame

_log = logging.getLogger(__name__)
POLL_SECONDS = 0.5
BUSY_POLL_SECONDS = 0.05
"""Where there was something to read a moment ago, and nothing rings."""
BATCH_SECONDS = 0.005
BATCH_SECONDS_OF_MANY = 0.05
MANY_WATCHERS = 20
PAGE_RECORDS = 2000
_KEPT_FRAMES = 256
_KEPT_BYTES = 8 * 1024 * 1024
_SLICE = 100
_LOADS_AT_ONCE = 4
"""By those who are behind, so that they leave connections and threads to everybody else."""


async def load(run_id: str, organization_id: str, after: int, limit: int = PAGE_RECORDS) -> Frame:
    """Read one batch from the database, off the event loop. Raises what ``service.read`` raises."""

    def work() -> Frame:
        with unit_of_work() as session:
            page = service.read_encoded(session, run_id, organization_id=organization_id, after=after, limit=limit)
        return Frame(after, page.next, closed=page.closed, body=page.body)

    return await run_in_threadpool(work)


class Live(Protocol):
    """A watcher that is up to date and takes frames as they come."""

    def offer(self, frame: Frame) -> bool:
        """Take the frame without waiting; False when this watcher goes its own way from here."""


class Follower:
    """Follows one run's stream for all of this process's watchers."""

    def __init__(self, run_id: str, organization_id: str, start: int) -> None:
        self.run_id = run_id
        self.organization_id = organization_id
        self.watchers = 0
        self.next = start
        self.closed = False
        self.live: set[Live] = set()
        self.rung = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self._frames: deque[Frame] = deque()
        self._by_first: dict[int, Frame] = {}
        self._kept_bytes = 0
        self._loads: dict[tuple[int, int], asyncio.Task[Frame]] = {}
        self._gate = asyncio.Semaphore(_LOADS_AT_ONCE)

    async def run(self) -> None:
        """Read whatever is new, whenever the doorbell rings or the poll interval passes, until the stream is closed."""
        while not self.closed:
            self.rung.clear()
            try:
                frame = await load(self.run_id, self.organization_id, self.next)
            except Exception:
                _log.exception("stream not readable now; trying again", extra={"run_id": self.run_id})
                await asyncio.sleep(POLL_SECONDS)
                continue
            if frame.next > self.next or frame.closed:
                is_full = frame.next - frame.first >= PAGE_RECORDS
                await self._publish(frame)
                pause = BATCH_SECONDS if self.watchers < MANY_WATCHERS else BATCH_SECONDS_OF_MANY
                await asyncio.sleep(0 if is_full else pause)
                if is_full or self.closed:
                    continue
                patience = BUSY_POLL_SECONDS
            else:
                patience = POLL_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self.rung.wait(), patience)

    def begin(self) -> None:
        """Follow from now on: somebody has read all that was there. Again is once."""
        if self.task is None:
            self.task = asyncio.create_task(self.run())

    async def _publish(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._by_first[frame.first] = frame
        self._kept_bytes += len(frame.body)
        while len(self._frames) > 1 and (len(self._frames) > _KEPT_FRAMES or self._kept_bytes > _KEPT_BYTES):
            oldest = self._frames.popleft()
            self._kept_bytes -= len(oldest.body)
            if self._by_first.get(oldest.first) is oldest:
                del self._by_first[oldest.first]
        # From here on who joins has read this frame already: it is offered to those alone who waited for it.
        waiting = tuple(self.live)
        self.next, self.closed = frame.next, frame.closed
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        for number, watcher in enumerate(waiting, 1):
            if watcher in self.live and not watcher.offer(frame):
                self.live.discard(watcher)
            if number % _SLICE == 0:
                await asyncio.sleep(0)

    def has_more(self, cursor: int) -> bool:
        """Whether there is something for a watcher at ``cursor``."""
        return cursor < self.next or self.closed

    async def after(self, cursor: int) -> Frame:
        """Return the next frame for a watcher at ``cursor``, for whom there is more.

        It ends where a later frame begins, so that who has caught up goes on with everybody else.
        """
        kept = self._by_first.get(cursor)
        if kept is not None and (kept.next > cursor or kept.closed):
            return kept
        key = (cursor, min(PAGE_RECORDS, max(1, self.next - cursor)))
        loading = self._loads.get(key)
        if loading is None:
            loading = self._loads[key] = asyncio.create_task(self._load(*key))
            loading.add_done_callback(lambda _: self._loads.pop(key, None))
        # Several wait for the same page, and one that leaves must not take it from the others.
        return await asyncio.shield(loading)

    async def _load(self, cursor: int, limit: int) -> Frame:
        async with self._gate:
            return await load(self.run_id, self.organization_id, cursor, limit)

    async def wait(self, seconds: float) -> None:
        """Wait until the stream grows, for at most ``seconds``."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._grown.wait(), seconds)


class Hub:
    """All followers of this process, and its one subscription to the doorbell."""

    def __init__(self) -> None:
        self._followers: dict[str, Follower] = {}
        self._listener: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, run_id: str, organization_id: str, end: int) -> AsyncIterator[Follower]:
        """Follow a run while the block lasts; the last watcher's leaving ends the follower.

        ``end`` is the stream's end of now: what lies before it each watcher reads by itself.
        """
        follower = self._followers.get(run_id)
        if follower is None:
            follower = self._followers[run_id] = Follower(run_id, organization_id, end)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        follower.watchers += 1
        try:
            yield follower
        finally:
            follower.watchers -= 1
            if follower.watchers == 0:
                if self._followers.get(run_id) is follower:
                    del self._followers[run_id]
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
