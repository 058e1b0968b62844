"""An AWS API (moto) as a process of its own: ``aws_api.py PORT``.

moto's own server answers requests in threads, but its tables are plain dictionaries: a request that meets another's
half-made change fails, the provider's SDK sends it again, and the second one collides with what the first one made.
Here one request is answered at a time.
"""

import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

KEPT_ANSWERS = 200
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def one_at_a_time(application: Application) -> Application:
    """Return the application behind a lock that is held until a whole answer is made.

    An SDK that lost an answer sends its request again, under the same invocation id: it gets that answer once more,
    where a second execution would collide with the first.
    """
    lock = threading.Lock()
    answers: OrderedDict[str, tuple[tuple[Any, ...], list[bytes]]] = OrderedDict()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        with lock:
            if invocation is not None and invocation in answers:
                begun, body = answers[invocation]
                start_response(*begun)
                return body
            said: list[tuple[Any, ...]] = []

            def begin(*arguments: Any) -> Any:
                said.append(arguments)
                return start_response(*arguments)

            body = list(application(environ, begin))
            if invocation is not None and not said[-1][0].startswith("5"):
                answers[invocation] = (said[-1], body)
                if len(answers) > KEPT_ANSWERS:
                    answers.popitem(last=False)
            return body

    return answer


def main() -> None:
    """Serve on loopback until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    served = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), served, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
