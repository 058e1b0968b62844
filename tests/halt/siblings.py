"""Sibling systems on loopback that answer as a test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.waiting import PATIENCE_SECONDS


@dataclass
class Sibling:
    """One system: ``statuses`` are its answers in turn, the last for ever; 0 says nothing until the test is over.

    ``body`` goes with each answer, bytes as they are. ``timeout_seconds`` is how long it is waited for. With ``drips``
    it sends headers, one after another, without end.
    """

    statuses: list[int]
    timeout_seconds: float = 60.0
    body: dict[str, Any] | bytes = field(default_factory=dict)
    drips: bool = False
    calls: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running(*siblings: Sibling) -> Iterator[None]:
    """Serve the siblings, each at an address of its own."""
    servers = []
    for sibling in siblings:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(sibling))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sibling.url = f"http://127.0.0.1:{server.server_address[1]}/halt-all"
        servers.append(server)
    try:
        yield
    finally:
        for sibling in siblings:
            sibling.over.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def endpoints(**siblings: Sibling) -> str:
    """Return the setting that names them, with a token each."""
    return json.dumps(
        [
            {"name": name, "url": found.url, "token": f"secret-{name}", "timeout_seconds": found.timeout_seconds}
            for name, found in siblings.items()
        ]
    )


def _handler(sibling: Sibling) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sibling.calls.append((dict(self.headers), body))
            status = sibling.statuses[min(len(sibling.calls), len(sibling.statuses)) - 1]
            if status == 0:
                sibling.over.wait(PATIENCE_SECONDS)
                return
            if sibling.drips:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                with suppress(OSError):
                    while not sibling.over.wait(0.05):
                        self.wfile.write(b"X-More: x\r\n")
                return
            text = sibling.body if isinstance(sibling.body, bytes) else json.dumps(sibling.body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
