"""How people and programs reach a Sluice whose parts die under them: each call is made again until it is answered."""

import time
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import httpx

PATIENCE_SECONDS = 120.0
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.2
UNAVAILABLE = 503


class NotAnswered(Exception):
    """Nobody answered for longer than any part may be away."""


@dataclass
class Answers:
    """What was answered to all desks together. ``faults`` are answers that no kill excuses: a 500, or no problem."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def note(self, answer: httpx.Response | Exception) -> None:
        """Count an answer, or the failure to get one; keep what is a fault."""
        with self.lock:
            if isinstance(answer, Exception):
                self.statuses["no answer"] += 1
                return
            self.statuses[str(answer.status_code)] += 1
            said = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}"
            if answer.status_code >= 500 and not _is_typed(answer, UNAVAILABLE):
                self.faults.append(said)


class Desk:
    """One person's or program's access, over every API there is. Not for several threads."""

    def __init__(self, urls: list[str], token: str, answers: Answers) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._clients = [
            httpx.Client(base_url=url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False) for url in urls
        ]
        self._answers = answers
        self._turn = 0

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def send(
        self, method: str, path: str, *, patience_seconds: float = PATIENCE_SECONDS, **rest: Any
    ) -> httpx.Response:
        """Send a request until one API answers it by something other than 503; return the answer.

        Raises ``NotAnswered``. What is sent may have been done by an attempt whose answer was lost.
        """
        until = time.monotonic() + patience_seconds
        while True:
            client = self._clients[self._turn % len(self._clients)]
            try:
                answer = client.request(method, path, **rest)
            except httpx.TransportError as error:
                self._answers.note(error)
                last = repr(error)
            else:
                self._answers.note(answer)
                if answer.status_code < 500:
                    return answer
                last = answer.text
            self._turn += 1
            if time.monotonic() > until:
                raise NotAnswered(f"{method} {path}: {last}")
            time.sleep(PAUSE_SECONDS)

    def get(self, path: str) -> Any:
        """Return what lies at ``path``. Raises ``AssertionError`` when that is refused."""
        answer = self.send("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: Any, *, codes: tuple[int, ...] = (200, 201, 204), **rest: Any) -> Any:
        """Send ``body``; return the answer. Raises ``AssertionError`` when it is refused by another code."""
        answer = self.send("POST", path, json=body, **rest)
        assert answer.status_code in codes, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def everything(self, path: str) -> list[Any]:
        """Return all items of a list, page by page."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=200{cursor}")
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            cursor = f"&cursor={page['next_cursor']}"


def _is_typed(answer: httpx.Response, status: int) -> bool:
    return answer.status_code == status and answer.headers.get("content-type", "").startswith(
        "application/problem+json"
    )
