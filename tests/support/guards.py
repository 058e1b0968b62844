"""What tests may not do: spawn processes past the gateway, or talk to anything but this machine."""

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SPAWNING = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system", "pty.spawn"}
)
# The gateway; Celery's own fork.
_MAY_SPAWN = (str(ROOT / "app" / "executor") + "/", "/billiard/", "/celery/")
GUARDED = {"PYTHONPATH": str(Path(__file__).parent / "guarded")}
"""Environment that puts the guards into the parts of Sluice that a test starts as processes."""
_allowed = 0
_installed = False


class UnexpectedProcess(AssertionError):
    """Something other than the gateway, Celery's fork or a named fixture spawned a process."""


class UnexpectedConnection(AssertionError):
    """Something tried to reach another machine."""


@contextmanager
def spawning(why: str) -> Iterator[None]:
    """Let a fixture spawn processes; ``why`` is for the reader."""
    global _allowed
    assert why
    _allowed += 1
    try:
        yield
    finally:
        _allowed -= 1


def _is_loopback(host: object) -> bool:
    if host in {None, "", "localhost", b"localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _check_spawn(event: str, arguments: tuple[Any, ...]) -> None:
    if _allowed:
        return
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if any(part in name for part in _MAY_SPAWN):
            return
        frame = frame.f_back  # type: ignore[assignment]
    raise UnexpectedProcess(
        f"{event}{arguments[:2]!r}: only the gateway (app.executor) spawns processes. A fixture that must, does it "
        "inside `with spawning('why'):`."
    )


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _SPAWNING:
        _check_spawn(event, arguments)
    elif event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise UnexpectedConnection(f"{event} to {address[0]}: tests talk to loopback only.")
    elif event == "socket.getaddrinfo" and not _is_loopback(arguments[0]):
        raise UnexpectedConnection(f"look-up of {arguments[0]}: tests talk to loopback only.")


def install() -> None:
    """Watch this process from here on. An audit hook can't be taken away again."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)
