"""An nginx on loopback, with the configuration that `deploy/` gives, and what a proxy may spoil of it."""

import importlib.util
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import clouds
from tests.support.guards import ROOT, spawning

CONFIGURATION = ROOT / "deploy" / "nginx.conf"


def _tool() -> Any:
    found = importlib.util.spec_from_file_location("nginx_tool", ROOT / "tools" / "nginx.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


_TOOL = _tool()
PROGRAM: Path | None = _TOOL.find(clouds.tools_directory())


@dataclass(frozen=True)
class Proxy:
    """A running nginx. ``log`` has a line a request: status, method and path."""

    url: str
    log: Path

    def answers(self) -> list[tuple[int, str]]:
        """Return (status, path) of every request that has ended."""
        return [(int(line.split()[0]), line.split()[2]) for line in self.log.read_text().splitlines()]


def without_upgrade(configuration: str) -> str:
    """Return a configuration of a proxy that lets no WebSocket through."""
    return re.sub(r"\n    proxy_set_header (Upgrade|Connection) [^\n]*", "", configuration)


def keeping_back(configuration: str) -> str:
    """Return a configuration that also gathers answers, whatever they say."""
    return without_upgrade(configuration).replace(
        "proxy_pass", "proxy_ignore_headers X-Accel-Buffering;\n        proxy_buffers 8 64k;\n        proxy_pass"
    )


def plain(configuration: str) -> str:
    """Return a configuration that lets neither WebSockets nor server-sent events through."""
    return without_upgrade(configuration).replace(
        "    location / {", "    location ~ /events$ { return 502; }\n\n    location / {"
    )


@contextmanager
def running(upstream: str, directory: Path, configuration: str) -> Iterator[Proxy]:
    """Run nginx before ``upstream`` (host:port), without TLS."""
    assert PROGRAM is not None, "Run `make test-servers`: nginx is not in the tools' cache."
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inner = re.sub(r"\n    ssl_[^\n]*", "", configuration)
    inner = inner.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};").replace("127.0.0.1:8080", upstream)
    user = "user root;\n" if os.geteuid() == 0 else ""
    paths = "".join(
        f"{name}_temp_path {directory}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file, log = directory / "nginx.conf", directory / "access.log"
    file.write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {directory}/pid;\nerror_log {directory}/error.log;\n"
        "events { worker_connections 256; }\n"
        f"http {{\n{paths}log_format short '$status $request_method $uri';\naccess_log {log} short;\n{inner}\n}}\n"
    )
    log.touch()
    with spawning("nginx"):
        process = subprocess.Popen(
            [PROGRAM, "-p", directory, "-c", file, "-e", directory / "error.log"],
            env=os.environ | _TOOL.environment(PROGRAM),
            stderr=subprocess.PIPE,
        )
    try:
        _wait_listening(process, port)
        yield Proxy(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def _wait_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + 20
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended with {process.returncode}: {process.stderr.read()!r}")  # type: ignore[union-attr]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > until:
            raise RuntimeError("nginx does not listen")
        time.sleep(0.05)
