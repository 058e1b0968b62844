"""The API on a port of this machine, in a thread of the test, for programs that talk HTTP themselves."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app.core.settings import get_settings
from tests.support.application import application

_START_SECONDS = 20


@contextmanager
def served_api() -> Iterator[str]:
    """Serve the API while the block runs; give its address, which settings name meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        before = os.environ.get("SLUICE_URL")
        os.environ["SLUICE_URL"] = address
        get_settings.cache_clear()
        server = uvicorn.Server(uvicorn.Config(application(), log_level="warning", lifespan="off"))
        started = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, listener, started), daemon=True)
        thread.start()
        try:
            assert started.wait(_START_SECONDS), "the API did not start"
            yield address
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)
            if before is None:
                del os.environ["SLUICE_URL"]
            else:
                os.environ["SLUICE_URL"] = before
            get_settings.cache_clear()


def _serve(server: uvicorn.Server, listener: socket.socket, started: threading.Event) -> None:
    # The listener takes connections from here on; they wait in its queue until the loop runs.
    started.set()
    server.run(sockets=[listener])
