"""A run's records over a WebSocket."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.websocket import channel_of
from app.progress.frames import PING_SOCKET, PING_TEXT, Frame
from app.progress.guarding import Denied, Guard
from app.progress.hub import Hub
from app.progress.watching import End, Watcher

CLOSE_COMPLETE = 1000
CLOSE_AGAIN = 1013
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_NOT_FOUND = 4404
CLOSE_GONE = 4410
_CODES = {
    Denied.UNAUTHENTICATED: CLOSE_UNAUTHENTICATED,
    Denied.FORBIDDEN: CLOSE_FORBIDDEN,
    Denied.UNKNOWN: CLOSE_AGAIN,
}


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
            ended = await watcher.follow(follower, Guard(socket, organization_id))
    finally:
        reader.cancel()
    if ended is End.STUCK:
        frames.abort()
    elif ended is not End.GONE:
        code, reason = CLOSE_AGAIN, "the log can't be read now"
        if isinstance(ended, Denied):
            code, reason = _CODES[ended], ended.value
        elif ended is End.COMPLETE:
            code, reason = CLOSE_COMPLETE, "complete"
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            await asyncio.wait_for(socket.close(code, reason), 10)


async def refuse(socket: WebSocket, code: int, reason: str) -> None:
    """Say why somebody may not watch: a browser sees the code of an open WebSocket alone."""
    await socket.accept()
    await socket.close(code, reason)


async def _drain(socket: WebSocket, watcher: Watcher) -> None:
    """Read and drop what the client sends, so that its close is noticed."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
    watcher.leave()
