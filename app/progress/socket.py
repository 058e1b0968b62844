"""A run's records over a WebSocket."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.connections import CLOSE_AGAIN, CLOSE_COMPLETE, until_gone
from app.core.permissions import Permission
from app.core.websocket import channel_of
from app.identity.service import Denied, Guard
from app.progress.frames import PING_SOCKET, PING_TEXT, Frame
from app.progress.hub import Hub
from app.progress.watching import End, Watcher


class _Frames:
    """Writes frames to one WebSocket: encoded ones past ASGI where the server offers that."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._channel = channel_of(socket.scope)

    def push(self, frame: Frame) -> bool:
        return self._channel is not None and self._channel.push(frame.socket)

    async def send(self, frame: Frame) -> None:
        await self._write(frame.text, frame.socket)

    async def ping(self) -> None:
        await self._write(PING_TEXT, PING_SOCKET)

    async def _write(self, text: str, encoded: bytes) -> None:
        if self._channel is None:
            await self._socket.send_text(text)
            return
        await self._channel.drained()
        if not self._channel.push(encoded):
            raise ConnectionError("the other side is gone")

    def abort(self) -> None:
        if self._channel is not None:
            self._channel.abort()


async def follow(socket: WebSocket, hub: Hub, run_id: str, organization_id: str, cursor: int, end: int) -> None:
    """Serve one accepted WebSocket to its end, and close it with the reason."""
    frames = _Frames(socket)
    watcher = Watcher(frames, cursor)
    reader = asyncio.create_task(_drain(socket, watcher))
    try:
        async with hub.watch(run_id, organization_id, end) as follower:
            ended = await watcher.follow(follower, Guard(socket, organization_id, Permission.RUNS_READ))
    finally:
        reader.cancel()
    if ended is End.STUCK:
        frames.abort()
    elif ended is not End.GONE:
        code, reason = CLOSE_AGAIN, "the log can't be read now"
        if isinstance(ended, Denied):
            code, reason = ended.close_code, ended.detail
        elif ended is End.COMPLETE:
            code, reason = CLOSE_COMPLETE, "complete"
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await asyncio.wait_for(socket.close(code, reason), 10)


async def _drain(socket: WebSocket, watcher: Watcher) -> None:
    """Notice that the client leaves."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await until_gone(socket.receive)
    watcher.leave()
