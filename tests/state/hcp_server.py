"""A scripted HCP Terraform on loopback: answers in the order and form that its documentation gives."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON_API = "application/vnd.api+json"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """One answer to give; ``status`` 0 hangs up without one."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


def resource(kind: str, identity: str, **attributes: Any) -> dict[str, Any]:
    return {"id": identity, "type": kind, "attributes": {name.replace("_", "-"): v for name, v in attributes.items()}}


def one(kind: str, identity: str, **attributes: Any) -> Answer:
    return Answer(document={"data": resource(kind, identity, **attributes)})


def page(items: list[dict[str, Any]], number: int, following: int | None, total: int = 3) -> Answer:
    pagination = {
        "current-page": number,
        "page-size": 100,
        "prev-page": number - 1 or None,
        "next-page": following,
        "total-pages": total,
        "total-count": 5,
    }
    return Answer(document={"data": items, "links": {}, "meta": {"pagination": pagination}})


def refusal(status: int, title: str, detail: str | None = None, **headers: str) -> Answer:
    error = {"status": str(status), "title": title, **({"detail": detail} if detail else {})}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"errors": [error]}, named)


@dataclass
class HcpServer:
    """What was asked, and what is answered next. ``always`` answers once the script has ended."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: list[Answer] = field(default_factory=list)
    always: Callable[[Asked], Answer] | None = None

    def answers(self, *answers: Answer) -> None:
        self.script += answers

    def next(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.script:
            return self.script.pop(0)
        assert self.always is not None, f"nobody scripted {asked.method} {asked.path}"
        return self.always(asked)


@contextmanager
def running_hcp() -> Iterator[HcpServer]:
    """Serve the script while the block runs."""
    scripted = HcpServer()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = scripted.next(Asked(self.command, parts.path, query, headers, self.rfile.read(length)))
            if answer.status == 0:
                self.close_connection = True
                return
            body = answer.raw if answer.raw is not None else b""
            if answer.raw is None and answer.document is not None:
                body = json.dumps(answer.document).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": JSON_API, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
