"""A run's records as server-sent events: plain HTTP, for where a proxy lets no WebSocket through.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. Each event's id is the offset to go on at, which
browsers send back as ``Last-Event-ID``.
"""

import asyncio
import json
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.connections import until_gone
from app.core.permissions import Permission
from app.identity.service import Denied, Guard
from app.progress.frames import PING_EVENT, Frame
from app.progress.hub import Hub
from app.progress.watching import End, Watcher

MEDIA_TYPE = "text/event-stream"
_BEGIN = b": open\nretry: 1000\n\n"
"""Sent at once: a client that does not get it knows that a proxy keeps answers back."""
LAST_SECONDS = 10.0
"""For so long the end of an answer is waited for."""


class _Events:
    """Writes frames as events of one answer."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def push(self, _frame: Frame) -> bool:
        return False

    async def send(self, frame: Frame) -> None:
        await self.write(frame.event)

    async def ping(self) -> None:
        await self.write(PING_EVENT)

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


class EventStream(Response):
    """The answer that goes on until the run's stream is complete, the client leaves, or it may not go on."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        request: Request,
        hub: Hub,
        run_id: str,
        organization_id: str,
        cursor: int,
        end: int,
        heartbeat_seconds: float,
    ) -> None:
        super().__init__(
            headers={
                "Cache-Control": "no-store, no-transform",
                # nginx would gather the answer otherwise.
                "X-Accel-Buffering": "no",
            }
        )
        del self.headers["content-length"]
        self._hub = hub
        self._run = (run_id, organization_id, end)
        self._guard = Guard(request, organization_id, Permission.RUNS_READ)
        self._cursor = cursor
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        events = _Events(send)
        await events.write(_BEGIN)
        watcher = Watcher(events, self._cursor, heartbeat_seconds=self._heartbeat_seconds)
        leaving = asyncio.create_task(_drain(receive, watcher))
        try:
            async with self._hub.watch(*self._run) as follower:
                ended = await watcher.follow(follower, self._guard)
        finally:
            leaving.cancel()
        # Who takes nothing takes no end either: the answer is broken off, rather than kept for as long as they like.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._end(ended, events, send), LAST_SECONDS)

    @staticmethod
    async def _end(ended: End | Denied, events: _Events, send: Send) -> None:
        if isinstance(ended, Denied):
            body = json.dumps({"code": ended.code, "detail": ended.detail})
            await events.write(f"event: denied\ndata: {body}\n\n".encode())
        if ended not in {End.GONE, End.STUCK}:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive, watcher: Watcher) -> None:
    await until_gone(receive)
    watcher.leave()
