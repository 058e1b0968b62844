"""A proxy before the state backend that refuses writes when told to: a fault that nothing real gives on demand."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass
class Proxy:
    """Forwards to ``target``; while ``refuses`` it answers a write with 403 and notes it."""

    address: str = ""
    target: str = ""
    refuses: bool = False
    refused: list[bytes] = field(default_factory=list)


@contextmanager
def refusing_proxy() -> Iterator[Proxy]:
    """Serve the proxy while the block runs."""
    proxy = Proxy()
    client = httpx.Client(trust_env=False, timeout=30)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if proxy.refuses and self.command == "POST":
                proxy.refused.append(body)
                self.answer(403, b"{}")
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            found = client.request(self.command, proxy.target + self.path, headers=kept, content=body)
            self.answer(found.status_code, found.content, found.headers.get("Content-MD5"))

        def answer(self, status: int, body: bytes, content_md5: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if content_md5 is not None:
                self.send_header("Content-MD5", content_md5)
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_LOCK = do_UNLOCK = handle_any  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        client.close()
