"""Outgoing HTTP to addresses that users name: resolved once, judged, pinned, bounded.

A name is resolved once, all that it resolves to must be permitted, and the connection goes to what was judged: a name
that resolves to something else a moment later changes nothing. TLS still verifies the name. No redirect is followed:
whoever is sent elsewhere is told so. Proxies of the environment are not used, since they would resolve anew.

Not permitted is what is not of the public internet: private, shared, loopback, link-local, unspecified, multicast,
reserved and documentation ranges, and everything that carries another address inside (IPv4-mapped and -compatible,
NAT64, 6to4, Teredo). ``SLUICE_OUTGOING_ALLOWED`` permits more.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import httpcore

from app.core.errors import AppError
from app.core.outgoing_addresses import Address, Allowed

Resolve = Callable[[str, int], Sequence[str]]
SECONDS = 10.0
MOST_BYTES = 64 * 1024
_MOST_ADDRESSES = 8
_AS_THEY_ARE = "/?&=%:@!$'()*+,;~-._[]"


class OutgoingRefused(AppError):
    """The address is not one that Sluice may send to; ``host`` names it. Nothing was sent."""

    status = 422
    code = "outgoing_refused"
    title = "The address is not permitted"


class OutgoingFailed(AppError):
    """No answer came: the name is not known, nobody answers, TLS does not fit, or it took too long."""

    status = 502
    code = "outgoing_failed"
    title = "The other side can't be reached"


@dataclass(frozen=True)
class Answer:
    """What came back. ``body`` is cut at the limit; ``address`` is where it came from."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool
    address: str
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def check_url(url: str, allowed: Allowed) -> SplitResult:
    """Return the parts of an address that may be sent to, as far as its text tells.

    Raises ``OutgoingRefused`` for another scheme, a password in it, http where the target is not allowed expressly,
    and for a number that is not permitted.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, _port(parts)
    except ValueError:
        raise OutgoingRefused("This is no address: write https://host/path.", host="") from None
    if parts.scheme not in {"https", "http"} or not host or not url.isprintable() or " " in url:
        raise OutgoingRefused("This is no address of the web: write https://host/path.", host=host or "")
    if parts.username is not None or parts.password is not None:
        raise OutgoingRefused("The address holds a user or a password: leave them out.", host=host)
    try:
        host.encode("idna")
    except UnicodeError:
        raise OutgoingRefused(f"{host} is not a name that can be resolved.", host=host) from None
    number = _number(host)
    if number is not None and not allowed.permits(host, number, port):
        raise _refused(host, number)
    is_expressly = allowed.names(host, port) or (number is not None and allowed.holds(number, port))
    if parts.scheme == "http" and number is not None and not is_expressly:
        raise _plain(host)
    return parts


def send(
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    allowed: Allowed,
    seconds: float = SECONDS,
    most_bytes: int = MOST_BYTES,
    resolve: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request and return its answer, whatever its status; a redirect is an answer like any other.

    ``seconds`` bound all of it, resolving and reading included; ``most_bytes`` what is read of the body. ``resolve``
    gives the addresses of a name and ``tls`` how certificates are verified, by default as the system does. Raises
    ``OutgoingRefused`` and ``OutgoingFailed``.
    """
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    parts = check_url(url, allowed)
    host, port = str(parts.hostname), _port(parts)
    is_plain = parts.scheme == "http"
    addresses = judged(host, port, allowed, is_plain=is_plain, resolve=resolve, seconds=deadline - time.monotonic())
    backend = _Pinned(addresses, deadline)
    ascii_host = host.encode("idna").decode() if ":" not in host else f"[{host}]"
    sent = {
        "Host": ascii_host + (f":{parts.port}" if parts.port else ""),
        "User-Agent": "Sluice",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = httpcore.URL(
        scheme=parts.scheme, host=ascii_host.strip("[]"), port=port, target=quote(target, safe=_AS_THEY_ARE)
    )
    pool = httpcore.ConnectionPool(
        ssl_context=tls or ssl.create_default_context(), network_backend=backend, max_connections=1, retries=0
    )
    try:
        with (
            pool,
            pool.stream(
                method,
                address,
                headers=[*sent.items(), *(headers or {}).items()],
                content=body or None,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
            ) as response,
        ):
            read, is_cut = _read(response.iter_stream(), most_bytes)
            return Answer(
                status=response.status,
                headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers},
                body=read,
                is_cut=is_cut,
                address=backend.connected or "",
                seconds=time.monotonic() - began,
            )
    except (httpcore.TimeoutException, TimeoutError):
        raise OutgoingFailed(f"{host} did not answer within {seconds:g} s.") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise OutgoingFailed(f"{host} can't be reached: {_reason(error)}.") from None


def _read(chunks: Iterable[bytes], most_bytes: int) -> tuple[bytes, bool]:
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > most_bytes:
            return bytes(read[:most_bytes]), True
    return bytes(read), False


def judged(
    host: str,
    port: int,
    allowed: Allowed,
    *,
    is_plain: bool = False,
    resolve: Resolve | None = None,
    seconds: float = SECONDS,
) -> list[str]:
    """Return the addresses of a host, every one of which is permitted, for a connection that is pinned to them.

    ``is_plain``: it would go without TLS, which is permitted only to what an operator named. Raises
    ``OutgoingRefused``, and ``OutgoingFailed`` for a name that can't be resolved in time.
    """
    number = _number(host)
    found = [number] if number is not None else _resolved(host, port, resolve or system_resolve, seconds)
    is_expressly = allowed.names(host, port)
    for address in found:
        if not allowed.permits(host, address, port):
            raise _refused(host, address)
        if is_plain and not is_expressly and not allowed.holds(address, port):
            raise _plain(host)
    return [str(address) for address in found]


def _resolved(host: str, port: int, resolve: Resolve, seconds: float) -> list[Address]:
    """Return the addresses of a name, asked for in a thread of its own: the system's resolver knows no time limit."""
    found: list[str] = []
    failed: list[str] = []

    def ask() -> None:
        try:
            found.extend(resolve(host, port))
        except (OSError, UnicodeError) as error:
            failed.append(_reason(error))

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if thread.is_alive():
        raise OutgoingFailed(f"The name {host} was not resolved in time.")
    if failed or not found:
        raise OutgoingFailed(f"The name {host} can't be resolved: {failed[0] if failed else 'it has no address'}.")
    # A zone (fe80::1%eth0) is no part of what is judged, and makes an address no global one.
    return [ipaddress.ip_address(text.partition("%")[0]) for text in dict.fromkeys(found)][:_MOST_ADDRESSES]


def system_resolve(host: str, port: int) -> list[str]:
    """Return the addresses that the system has for a name. Raises ``OSError``."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(answer[4][0]) for answer in answers]


class _Pinned(httpcore.NetworkBackend):
    """Connects to the judged addresses, whatever host it is asked for, and lets nothing outlast the deadline."""

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._system = httpcore.SyncBackend()
        self.connected: str | None = None

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - judged already
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        failed: Exception = httpcore.ConnectError("it has no address")
        for address in self._addresses:
            try:
                stream = self._system.connect_tcp(address, port, _left(self._deadline), local_address, socket_options)
            except httpcore.ConnectError as error:
                failed = error
                continue
            self.connected = address
            return _Bounded(stream, self._deadline)
        raise failed


class _Bounded(httpcore.NetworkStream):
    """A stream each of whose calls ends at the deadline: many small ones can't outlast it either."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline's
        """Read what has come."""
        return self._inner.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline's
        """Write all of it; the library's own write gives each bit that the peer takes all of the time anew."""
        connection, rest = self._inner.get_extra_info("socket"), memoryview(buffer)
        try:
            while rest:
                connection.settimeout(_left(self._deadline))
                rest = rest[connection.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the deadline's
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on, with the name that was asked for."""
        return _Bounded(self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection knows of itself."""
        return self._inner.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return left


def _number(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _refused(host: str, address: Address) -> OutgoingRefused:
    which = "" if str(address) == host else f" resolves to {address}, which"
    return OutgoingRefused(
        f"{host}{which} is not an address of the public internet. If it is meant, permit it: SLUICE_OUTGOING_ALLOWED.",
        host=host,
    )


def _plain(host: str) -> OutgoingRefused:
    return OutgoingRefused(
        f"{host} would be reached without TLS: write https://, or permit it expressly: SLUICE_OUTGOING_ALLOWED.",
        host=host,
    )


def _reason(error: BaseException) -> str:
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({inner.verify_message})"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return str(error) or type(error).__name__
