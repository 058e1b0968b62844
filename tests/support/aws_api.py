"""An AWS API (moto) as a process of its own: ``aws_api.py PORT``.

moto's own server answers requests in threads, but its tables are plain dictionaries: a request that meets another's
half-made change fails, the provider's SDK sends it again, and the second one collides with what the first one made.
Here one request is answered at a time.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def one_at_a_time(application: Application) -> Application:
    """Return the application behind a lock that is held until a whole answer is made."""
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with lock:
            return list(application(environ, start_response))

    return answer


def main() -> None:
    """Serve on loopback until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    served = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), served, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
