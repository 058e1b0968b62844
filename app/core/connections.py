"""Connections that stay open: whose page opened them, how a WebSocket is refused, and when the other side leaves."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import Receive
from starlette.websockets import WebSocket

from app.core.settings import get_settings

CLOSE_COMPLETE = 1000
CLOSE_AGAIN = 1013
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_NOT_FOUND = 4404
CLOSE_GONE = 4410


def origin_is_ours(connection: HTTPConnection) -> bool:
    """Whether the page that opened a connection is one of ours, or no page did: browsers let any page open one."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    allowed = {get_settings().url, *get_settings().trusted_origins}
    return origin.rstrip("/") in allowed or urlsplit(origin).netloc == connection.headers.get("host")


async def refuse(socket: WebSocket, code: int, reason: str) -> None:
    """Close a new WebSocket and say why: a browser sees the code of an open one alone."""
    await socket.accept()
    await socket.close(code, reason)


async def until_gone(receive: Receive) -> None:
    """Read and drop what the client sends, until it leaves."""
    while not (await receive())["type"].endswith(".disconnect"):
        pass
