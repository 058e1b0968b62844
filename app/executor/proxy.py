"""The way out of a sandbox that has a network namespace of its own: an HTTP proxy that asks a policy.

It serves CONNECT (RFC 9110, 9.3.6), which is what TLS and git take, and plain `http://` requests in absolute form
(RFC 9112, 3.2.2), one a connection. It runs in the supervisor, in a thread of its own, on sockets that listen inside.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

from app.executor import inside
from app.executor.egress import Endpoint, Policy, Refusal
from app.executor.inside import LoopbackAddress

PORT = 3128
_MOST_HEAD_BYTES = 64 * 1024
_HEAD_SECONDS = 10.0
_CONNECT_SECONDS = 20.0
_CHUNK = 64 * 1024
_LINGER_SECONDS = 1.0
# Each takes two descriptors of the supervisor, which needs some for the watchdog; engines open a few at a time.
_MOST_CONNECTIONS = 128
_MOST_TOLD = 100
# RFC 1035, 2.3.4, as text.
_MOST_HOST = 253
_UNNAMEABLE: list[str] | Refusal = Refusal(f"names have {_MOST_HOST} characters at most")
_log = logging.getLogger(__name__)
Say = Callable[[str], None]
_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Gate:
    """One run's way out. ``say`` gets a sentence for each host that was refused, once, and for a hundred at most."""

    def __init__(self, policy: Policy, say: Say) -> None:
        self._policy = policy
        self._say = say
        self._told: set[str] = set()

    @property
    def proxy_url(self) -> str:
        """Return the proxy's address, as it is inside."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def _port(self) -> int:
        backend = self._policy.backend
        return PORT + 1 if backend is not None and backend.port == PORT else PORT

    def open(self, first: int) -> Callable[[], None]:
        """Serve the network namespace of the process ``first``; return what ends that.

        Raises ``ProcessFailed`` when the namespace can't be entered.
        """
        backend = self._policy.backend
        relayed = backend if backend is not None and backend.is_loopback else None
        addresses = [LoopbackAddress("127.0.0.1", self._port)]
        if relayed is not None:
            # Clients never take a proxy to loopback; so the backend's own address is there, inside.
            addresses.append(LoopbackAddress("::1" if ":" in relayed.host else "127.0.0.1", relayed.port))
        listeners = inside.listen(first, addresses)
        return _Server(self._policy, self._tell, listeners[0], relayed, listeners[1:]).close

    def _tell(self, host: str, port: int, reason: str) -> None:
        text = _refusal(host, port, reason)
        if text in self._told or len(self._told) > _MOST_TOLD:
            return
        self._told.add(text)
        self._say(text if len(self._told) <= _MOST_TOLD else "Egress to more hosts was refused; they are not listed.")


class _Server:
    """The thread that serves one namespace's sockets, until `close`."""

    def __init__(
        self,
        policy: Policy,
        tell: Callable[[str, int, str], None],
        listener: socket.socket,
        relayed: Endpoint | None,
        relays: Sequence[socket.socket],
    ) -> None:
        self._policy = policy
        self._tell = tell
        self._listener = listener
        self._relayed = relayed
        self._relays = relays
        self._loop = asyncio.new_event_loop()
        self._is_over = asyncio.Event()
        self._connections = 0
        self._thread = threading.Thread(target=self._work, name="egress", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every connection, and the thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join(10)

    def _work(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception:
            _log.exception("The way out of a sandbox failed.")
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        answer, relay = self._bounded(self._answer), self._bounded(self._relay)
        servers = [await asyncio.start_server(answer, sock=self._listener, limit=_MOST_HEAD_BYTES)]
        servers += [await asyncio.start_server(relay, sock=listener) for listener in self._relays]
        await self._is_over.wait()
        for server in servers:
            server.close()
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _bounded(self, serve: _Serve) -> _Serve:
        """Return what serves a connection as ``serve`` does, and closes it at once where there are too many."""

        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._connections >= _MOST_CONNECTIONS:
                writer.transport.abort()
                return
            self._connections += 1
            try:
                await serve(reader, writer)
            finally:
                self._connections -= 1
                writer.close()

        return serve_one

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            method, _, rest = head.partition(b" ")
            target, _, version = rest.partition(b"\r\n")[0].decode("latin-1").rpartition(" ")
            is_tunnel = method == b"CONNECT"
            endpoint = _endpoint(f"http://{target}" if is_tunnel else target, is_tunnel=is_tunnel)
            if endpoint is None or not version.startswith("HTTP/1."):
                await _refuse(
                    reader, writer, "400 Bad Request", "Only CONNECT host:port and http:// addresses are served."
                )
                return
            ways = await self._ways(endpoint, reader, writer)
            if ways is None:
                return
            remote = await _connect(ways, endpoint.port)
            if remote is None:
                await _refuse(
                    reader, writer, "502 Bad Gateway", f"{endpoint.host}:{endpoint.port} could not be reached."
                )
                return
            if is_tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                remote[1].write(_forwarded(head, endpoint))
            await _pump((reader, writer), remote)

    async def _ways(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> list[str] | None:
        """Return the addresses to try; None once the client has been told that there is none."""
        host, judged = endpoint.host, _UNNAMEABLE
        try:
            if len(host) <= _MOST_HOST:
                judged = await asyncio.to_thread(self._policy.judge, host, endpoint.port)
            else:
                host = "a host whose name is too long"
        except (OSError, UnicodeError) as error:
            await _refuse(reader, writer, "502 Bad Gateway", f"{host} could not be resolved: {error}.")
            return None
        if isinstance(judged, Refusal):
            self._tell(host, endpoint.port, judged.reason)
            await _refuse(reader, writer, "403 Forbidden", _refusal(host, endpoint.port, judged.reason))
            return None
        return judged

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._relayed is not None
        with contextlib.suppress(OSError, TimeoutError):
            remote = await _connect([self._relayed.host], self._relayed.port)
            if remote is not None:
                await _pump((reader, writer), remote)


def _refusal(host: str, port: int, reason: str) -> str:
    return f"Egress to {host}:{port} refused: {reason}."


def _endpoint(url: str, *, is_tunnel: bool) -> Endpoint | None:
    if not url.lower().startswith("http://"):
        return None
    try:
        found = Endpoint.of_url(url)
    except ValueError:
        return None
    if found is not None and is_tunnel and not url.endswith(f":{found.port}"):
        return None
    return found


async def _connect(ways: Sequence[str], port: int) -> _Ends | None:
    for way in ways:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(way, port)
    return None


def _forwarded(head: bytes, endpoint: Endpoint) -> bytes:
    """Return a request as the server itself is asked: its target in origin form, and only this one on a connection."""
    line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, version = line.split(b" ", 2)
    path = b"/" + target.split(b"://", 1)[1].partition(b"/")[2]
    kept = [
        found
        for found in fields
        if found.partition(b":")[0].strip().lower()
        not in {b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"host"}
    ]
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    named = f"Host: {host}" + ("" if endpoint.port == 80 else f":{endpoint.port}")
    return b"\r\n".join([b" ".join([method, path, version]), named.encode(), *kept, b"Connection: close"]) + b"\r\n\r\n"


async def _pump(one: _Ends, other: _Ends) -> None:
    """Carry bytes both ways until both ends have said that they are done."""
    try:
        await asyncio.gather(_carry(one[0], other[1]), _carry(other[0], one[1]))
    finally:
        other[1].close()
        one[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = f"{text}\n".encode()
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    writer.write_eof()
    # What the client still sends is taken, since closing on it would reset the connection, and lose the answer.
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(_CHUNK):
                pass
    writer.close()
