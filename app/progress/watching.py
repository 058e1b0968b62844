"""One watcher of a run: replays from its cursor, then follows, over whatever way the records leave by."""

import asyncio
import time
from contextlib import suppress
from enum import Enum
from typing import Protocol

from app.core.errors import AppError, IntegrityError
from app.identity.service import Denied, Guard
from app.progress.frames import Frame
from app.progress.hub import Follower

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 60.0
"""A watcher that takes nothing for so long is dropped; its client comes back with its cursor."""


class End(Enum):
    """Why a watcher's connection ends."""

    COMPLETE = "complete"
    GONE = "gone"
    STUCK = "stuck"
    UNREADABLE = "unreadable"


class Sink(Protocol):
    """A way to one watcher."""

    def push(self, frame: Frame) -> bool:
        """Send without waiting; False, and nothing is sent, when that is not possible now or never."""

    async def send(self, frame: Frame) -> None:
        """Send, and wait until the other side keeps up. Raises ``ConnectionError`` when it is gone."""

    async def ping(self) -> None:
        """Send a sign of life."""


class Watcher:
    """Follows a run's stream for one connection. ``gone`` is set by whoever notices that the other side left."""

    def __init__(self, sink: Sink, cursor: int, *, heartbeat_seconds: float | None = None) -> None:
        self.cursor = cursor
        self.gone = False
        self._sink = sink
        self._heartbeat_seconds = heartbeat_seconds or HEARTBEAT_SECONDS
        self._sent_at = time.monotonic()
        self._woken = asyncio.Event()
        self._is_complete = False

    def leave(self) -> None:
        """Note that the other side is gone."""
        self.gone = True
        self._woken.set()

    def offer(self, frame: Frame) -> bool:
        """Take a frame of the follower without waiting; False when this watcher goes its own way from here."""
        if self.cursor != frame.first or not self._sink.push(frame):
            self._woken.set()
            return False
        self.cursor = frame.next
        self._sent_at = time.monotonic()
        if frame.closed:
            self._is_complete = True
            self._woken.set()
        return True

    async def follow(self, follower: Follower, guard: Guard) -> End | Denied:
        """Send everything from the cursor on, until there is nothing more, the other side goes, or may not go on."""
        try:
            while not self.gone:
                if self._is_complete:
                    return End.COMPLETE
                if (denied := await guard.denies()) is not None:
                    return denied
                if follower.has_more(self.cursor):
                    await self._advance(follower)
                else:
                    await self._rest(follower, guard)
        except TimeoutError:
            return End.STUCK
        except (ConnectionError, RuntimeError):
            return End.GONE
        except AppError:
            return End.UNREADABLE
        finally:
            follower.live.discard(self)
        return End.GONE

    async def _advance(self, follower: Follower) -> None:
        # What is sent here must not be offered meanwhile.
        follower.live.discard(self)
        frame = await follower.after(self.cursor)
        if frame.next <= self.cursor and not frame.closed:
            raise IntegrityError(f"Records of {follower.run_id} from {self.cursor} on are missing.")
        await asyncio.wait_for(self._sink.send(frame), SEND_SECONDS)
        self.cursor = frame.next
        self._sent_at = time.monotonic()
        self._is_complete = frame.closed

    async def _rest(self, follower: Follower, guard: Guard) -> None:
        """Take what comes, until something else is to be done."""
        due = self._sent_at + self._heartbeat_seconds - time.monotonic()
        if due <= 0:
            await asyncio.wait_for(self._sink.ping(), SEND_SECONDS)
            self._sent_at = time.monotonic()
            return
        self._woken.clear()
        if self.gone:
            return
        follower.live.add(self)
        follower.begin()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), min(due, guard.seconds_to_check()))
