"""A journal outside every engine: what provisioners tell it, line by line, over loopback."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class Journal:
    """The lines that arrived. ``command(text)`` is a shell command that tells it one."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.lines: list[str] = []

    def command(self, text: str) -> str:
        """Return a command of bash, which needs no tool that a sandbox might lack."""
        return f"exec 3<>/dev/tcp/127.0.0.1/{self.port} && echo {text} >&3 && read -r answer <&3"

    def counts(self) -> Counter[str]:
        """Return how often each line arrived."""
        return Counter(self.lines)


@contextmanager
def running_journal() -> Iterator[Journal]:
    """Listen on loopback; a line counts once it was written down, and only then is it answered."""

    class Handler(socketserver.StreamRequestHandler):
        journal: ClassVar[Journal]

        def handle(self) -> None:
            line = self.rfile.readline().decode().strip()
            if line:
                self.journal.lines.append(line)
                self.wfile.write(b"written\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        Handler.journal = Journal(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Handler.journal
        finally:
            server.shutdown()
            thread.join()
