"""Frames on a stream socket between a worker, its nursery and its children: a letter, a length, a body."""

import socket
import struct

HEADER = struct.Struct("!cQ")
BORN, RESULT, ENDED, REFUSED = b"B", b"R", b"E", b"X"


def send(channel: socket.socket, kind: bytes, body: bytes) -> None:
    """Send one frame. Raises ``OSError`` when the other side is gone."""
    channel.sendall(HEADER.pack(kind, len(body)))
    channel.sendall(body)


def receive(channel: socket.socket) -> tuple[bytes, bytes]:
    """Return the next frame's kind and body. Raises ``EOFError`` when the other side closed the channel."""
    kind, size = HEADER.unpack(_receive_exactly(channel, HEADER.size))
    return kind, _receive_exactly(channel, size)


def _receive_exactly(channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = channel.recv(min(size - len(received), 1024 * 1024))
        if not chunk:
            raise EOFError("The other side closed the channel.")
        received += chunk
    return bytes(received)
