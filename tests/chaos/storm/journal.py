"""The journal outside of every engine: each resource that was made says so here, and goes on only once it is kept."""

import socketserver
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

LINE_SECONDS = 10


@dataclass(frozen=True)
class Made:
    """One resource that an engine made. ``nonce`` is in the files of one plan and of no other."""

    nonce: str
    address: str
    resource_id: str
    at: float


class Journal:
    """Listens on loopback for lines ``NONCE ADDRESS ID``; each is answered ``kept`` once it is."""

    def __init__(self) -> None:
        self._entries: list[Made] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.journal = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="journal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._server.server_address[1])

    def keep(self, line: str) -> None:
        """Keep one line. Raises ``ValueError`` for one that says something else."""
        nonce, address, resource_id = line.split(" ")
        with self._lock:
            self._entries.append(Made(nonce, address, resource_id, time.monotonic()))

    def entries(self) -> list[Made]:
        """Return everything that was kept, in order."""
        with self._lock:
            return list(self._entries)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    journal: Journal


class _Handler(socketserver.StreamRequestHandler):
    timeout = LINE_SECONDS
    server: _Server

    def handle(self) -> None:
        try:
            self.server.journal.keep(self.rfile.readline().decode().strip())
            self.wfile.write(b"kept\n")
        except (OSError, ValueError):
            # Its sender was killed in mid-line: nothing was made known, and nothing is answered.
            return
