"""Sockets that listen inside a sandbox's network namespace and are served from outside.

A socket belongs to the namespace in which it was made, wherever its descriptor goes. So a short-lived child enters the
namespace, makes the sockets there and hands them out: nothing of ours runs in the sandbox, and nothing of the host's
network is in it.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from app.executor.errors import ProcessFailed

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_NS_GET_USERNS = 0xB701
_IP_FREEBIND = 15
_ANSWER_SECONDS = 10.0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class LoopbackAddress:
    """A loopback address to listen at: `127.0.0.1` or `::1`, and a port."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """Return the address family of the host."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def listen(first: int, addresses: Sequence[LoopbackAddress]) -> list[socket.socket]:
    """Return sockets that listen at ``addresses`` in the network namespace of the process ``first``.

    Raises ``ProcessFailed`` when that can't be done.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, warnings.catch_warnings():
        # The child calls the kernel and ends; it takes no lock that another thread could have held.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            _serve(theirs, first, addresses)
        theirs.close()
        try:
            ours.settimeout(_ANSWER_SECONDS)
            said, descriptors, _, _ = socket.recv_fds(ours, 512, len(addresses))
        except OSError as error:
            said, descriptors = str(error).encode(), []
        finally:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
    listeners = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    if len(listeners) != len(addresses):
        for listener in listeners:
            listener.close()
        raise ProcessFailed(f"The sandbox's network could not be set up: {said.decode(errors='replace')}.")
    return listeners


def _serve(channel: socket.socket, first: int, addresses: Sequence[LoopbackAddress]) -> None:
    """Enter the namespace, listen, hand out the sockets, and exit. Runs in the forked child alone."""
    try:
        try:
            _enter(first)
            listeners = [_listener(address) for address in addresses]
            socket.send_fds(channel, [b"ok"], [listener.fileno() for listener in listeners])
        except BaseException as error:
            channel.send(str(error).encode()[:500])
    finally:
        os._exit(0)


def _enter(first: int) -> None:
    network = os.open(f"/proc/{first}/ns/net", os.O_RDONLY)
    if os.geteuid() != 0:
        # The namespace is owned by the sandbox's user namespace, in which who made it has every right.
        owner = fcntl.ioctl(network, _NS_GET_USERNS)
        _call(_libc.setns(owner, _CLONE_NEWUSER))
    _call(_libc.setns(network, _CLONE_NEWNET))


def _listener(address: LoopbackAddress) -> socket.socket:
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    if address.family == socket.AF_INET:
        # The sandbox brings its loopback up itself, perhaps a moment later.
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    listener.bind((address.host, address.port))
    listener.listen(256)
    return listener


def _call(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
