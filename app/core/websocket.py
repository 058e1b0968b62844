"""WebSockets whose application may write frames itself, so that one encoded frame serves any number of connections.

ASGI has a message, a coroutine and an encoding for each frame of each connection, which a thousand watchers of one run
can't afford. Where the server offers ``EXTENSION`` in a connection's scope, its ``Channel`` takes frames that are
encoded already; elsewhere ASGI's own way gives the same.
"""

import struct
from collections.abc import Mapping
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "sluice.channel"
_TEXT = 0x81
_MOST_UNSENT_BYTES = 256 * 1024


def text_frame(payload: bytes) -> bytes:
    """Return UTF-8 text as one unmasked WebSocket frame, as a server sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", _TEXT, 126, size) + payload
    return struct.pack("!BBQ", _TEXT, 127, size) + payload


class Channel(Protocol):
    """What lies below one open WebSocket."""

    def push(self, frame: bytes) -> bool:
        """Write a whole frame now; False, and nothing is written, when the other side reads too slowly or is gone."""

    async def drained(self) -> None:
        """Wait until the other side has read most of what was written, or is gone."""

    def abort(self) -> None:
        """Break the connection off, and forget what was not sent."""


class _TransportChannel:
    def __init__(self, protocol: WebSocketsSansIOProtocol) -> None:
        self._protocol = protocol

    def push(self, frame: bytes) -> bool:
        protocol = self._protocol
        transport = protocol.transport
        if protocol.disconnected or protocol.close_sent or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            return False
        transport.write(frame)
        return True

    async def drained(self) -> None:
        await self._protocol.writable.wait()

    def abort(self) -> None:
        self._protocol.transport.abort()


class DirectWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, with ``EXTENSION`` in every scope. For ``uvicorn.run(ws=…)``."""

    async def run_asgi(self) -> None:
        """Run the application on this connection."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = {"channel": _TransportChannel(self)}
        await super().run_asgi()


def channel_of(scope: Mapping[str, Any]) -> Channel | None:
    """Return the channel of a connection; None where the server offers none."""
    offered = (scope.get("extensions") or {}).get(EXTENSION)
    found: Channel | None = offered["channel"] if offered else None
    return found
