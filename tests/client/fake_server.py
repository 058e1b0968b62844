"""A server on loopback that knows one run: its records over WebSocket and HTTP, breaking off as a test wishes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve


class FakeServer:
    """``frame_sizes``: how many records each WebSocket in turn gives before it is cut; none left: refused."""

    def __init__(self, records: int, frame_sizes: list[int]) -> None:
        self.records = [
            {
                "offset": n,
                "at": "2026-01-01T00:00:00Z",
                "kind": "line",
                "stream": "stdout",
                "text": f"line {n}",
                "data": {},
            }
            for n in range(records)
        ]
        self.frame_sizes = frame_sizes
        self.is_closed = True
        self.status = "awaiting_approval"
        self.places: list[int] = []
        self.answers: list[int] = []
        self.cursors: list[int] = []
        self.polls: list[int] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def page(self, after: int, limit: int) -> dict[str, Any]:
        found = self.records[after : after + limit]
        following = after + len(found)
        return {"records": found, "next": following, "closed": self.is_closed and following == len(self.records)}

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a plain request; None lets the WebSocket open."""
        address = urlsplit(request.path)
        query = {name: int(values[0]) for name, values in parse_qs(address.query).items()}
        if self.answers and "/ws/" not in address.path:
            return self._json({"detail": "down", "code": "unavailable"}, self.answers.pop(0))
        if address.path.endswith("/progress"):
            self.polls.append(query["after"])
            return self._json(self.page(query["after"], min(query["limit"], 3)))
        if address.path.endswith("/events"):
            return self._json({"detail": "no events here", "code": "x"}, 404)
        if address.path.startswith("/terraform/runs/"):
            workspace = {"id": "ws-1", "name": "w"}
            run = {"id": "run-1", "kind": "plan", "status": self.status, "url": "http://x", "workspace": workspace}
            if self.places:
                position = self.places.pop(0)
                place = {"position": position, "code": "workspace_busy", "reason": "Waits for run-0."}
                run |= {"status": "queued", "queue": place}
            return self._json(run)
        if not self.frame_sizes:
            return self._json({"detail": "no WebSocket here", "code": "x"}, 404)
        return None

    @staticmethod
    def _json(document: dict[str, Any], status: int = 200) -> Response:
        body = json.dumps(document).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
        return Response(status, HTTPStatus(status).phrase, headers, body)

    def follow(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        after = int(parse_qs(urlsplit(socket.request.path).query)["after"][0])
        self.cursors.append(after)
        page = self.page(after, self.frame_sizes.pop(0))
        socket.send(json.dumps({"type": "ping"}))
        # One frame begins before the cursor, as a batch may.
        early = {**page, "records": self.records[max(0, after - 1) : page["next"]]}
        socket.send(json.dumps({"type": "records", **early}))
        if page["closed"]:
            socket.close(1000, "complete")
        else:
            socket.socket.close()


@contextmanager
def fake_server(records: int, frame_sizes: list[int]) -> Iterator[FakeServer]:
    fake = FakeServer(records, frame_sizes)
    with serve(fake.follow, "127.0.0.1", 0, process_request=fake.answer) as server:
        fake.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
