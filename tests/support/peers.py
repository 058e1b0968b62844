"""Peers on loopback that speak as a test says, a byte at a time if it wants."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket], None]
DRIP_SECONDS = 0.05
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: " + b"a" * 120 + b"\r\n\r\n"
"""Dripped, it takes longer than any deadline that a test sets, and then comes to its end."""


@contextmanager
def running_peer(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server that talks with each connection in a thread of its own; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve, args=(listening, talk, tls), daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, talk: Talk, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_talk, args=(connection, talk, tls), daemon=True).start()


def _talk(connection: socket.socket, talk: Talk, tls: ssl.SSLContext | None) -> None:
    # Whoever gives up closes the connection, which is what these tests are about.
    with suppress(OSError), connection:
        if tls is None:
            talk(connection)
            return
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            talk(wrapped)


def read_head(connection: socket.socket) -> bytes:
    """Read a request as far as its headers go."""
    came = b""
    while b"\r\n\r\n" not in came:
        piece = connection.recv(65536)
        if not piece:
            return came
        came += piece
    return came


def drip(connection: socket.socket, said: bytes) -> None:
    """Send a byte at a time."""
    for number in range(len(said)):
        connection.sendall(said[number : number + 1])
        time.sleep(DRIP_SECONDS)


def dripping_headers(connection: socket.socket) -> None:
    """Answer at once, so slowly that the headers take seconds."""
    read_head(connection)
    drip(connection, HEAD)
    connection.sendall(b"ok")
