"""The synchronous client."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

import httpx

from app.client import calls, wire
from app.client.calls import Call
from app.client.errors import ApiError, Unreachable, WaitTimeout
from app.client.events import EventReader, EventsLost
from app.client.lines import LineReader
from app.client.models import Page, ProgressPage, Record, Run, settled
from app.client.retry import Attempts, Say, silent
from app.core.retry_after import retry_after

T = TypeVar("T")
Until = Callable[[Run], bool]
OnPage = Callable[[ProgressPage], None]
OnRun = Callable[[Run], None]

PATIENCE_SECONDS = 5.0
PATIENCE_OF_KEYED_SECONDS = 30.0
PATIENCE_OF_WAITING_SECONDS = 300.0
POLL_SECONDS = 0.5
SOCKET_AGAIN_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 5.0


class _SocketLost(Exception):
    """The WebSocket could not be opened, or broke off."""


class SluiceClient:
    """Talks to one Sluice with one token. Use as a context manager, or ``close`` it.

    Calls that can be repeated without harm are sent again through connection errors, 429, 502, 503 and 504.
    ``say`` hears, once an outage, that it is tried again.
    """

    def __init__(self, url: str, token: str | None = None, *, say: Say = silent, transport: Any = None) -> None:
        self.url = wire.check_url(url)
        self._token = wire.check_token(token)
        self._say = say
        self._http = httpx.Client(
            base_url=self.url,
            headers=wire.headers(self._token),
            trust_env=not wire.is_loopback(self.url),
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"SluiceClient({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, call: Call[T], *, patience_seconds: float | None = None) -> T:
        """Send a call and return what it reads.

        ``patience_seconds`` is how long an outage may last: by default 5, and 30 with an Idempotency-Key. Raises
        ``ApiError``, ``Unreachable`` or ``UnexpectedAnswer``.
        """
        if patience_seconds is None:
            patience_seconds = PATIENCE_OF_KEYED_SECONDS if call.idempotency_key else PATIENCE_SECONDS
        attempts = Attempts(call.may_repeat, patience_seconds, self._say)
        while True:
            try:
                response = self._http.request(**wire.request_arguments(call))
            except httpx.TransportError as error:
                failed, has_arrived = wire.failure(error, self.url)
                delay = attempts.after(failed, has_arrived=has_arrived)
            else:
                if response.is_success:
                    return wire.read_answer(call, response, self.url)
                refused = wire.api_error(response, self.url)
                if not isinstance(refused, ApiError):
                    raise refused
                delay = attempts.after(refused, has_arrived=True, retry_after=retry_after(response.headers))
            time.sleep(delay)

    def lines(self, call: Call[Any]) -> Iterator[str]:
        """Yield the lines of an answer as they come, without their ends. It is sent once.

        Raises ``ApiError``, ``Unreachable`` (also in the middle) or ``UnexpectedAnswer``.
        """
        try:
            with self._http.stream(**wire.request_arguments(call)) as response:
                if not response.is_success:
                    response.read()
                    raise wire.api_error(response, self.url)
                lines = LineReader()
                for text in response.iter_text():
                    yield from lines.read(text)
                if lines.rest:
                    yield lines.rest
        except httpx.TransportError as error:
            raise wire.failure(error, self.url)[0] from error

    def items(self, page_call: Callable[[str | None], Call[Page[T]]], *, limit: int | None = None) -> Iterator[T]:
        """Yield the items of all pages, at most ``limit``; ``page_call`` makes the call for a cursor."""
        cursor: str | None = None
        given = 0
        while True:
            page = self.send(page_call(cursor))
            for item in page.items:
                if limit is not None and given >= limit:
                    return
                given += 1
                yield item
            cursor = page.next_cursor
            if cursor is None or (limit is not None and given >= limit):
                return

    def follow(self, run_id: str, after: int = 0) -> Iterator[Record]:
        """Yield a run's records from an offset on, as they come, until the stream is closed. Nothing is lost.

        Raises what ``watch`` raises.
        """
        for page in self.watch(run_id, after):
            yield from page.records

    def watch(
        self,
        run_id: str,
        after: int = 0,
        *,
        tick_seconds: float = 2.0,
        patience_seconds: float = PATIENCE_OF_WAITING_SECONDS,
    ) -> Iterator[ProgressPage]:
        """Yield pages of records as they come, and an empty page when nothing came for ``tick_seconds``.

        Prefers the WebSocket, then server-sent events, and polls where neither works, each resumed by cursor. The last
        page is ``closed``. Raises ``ApiError``, or ``Unreachable`` after an outage of ``patience_seconds``.
        """
        cursor = after
        while True:
            for pages in (self._socket_pages, self._event_pages):
                try:
                    for page in pages(run_id, cursor, tick_seconds):
                        cursor = page.next
                        yield page
                        if page.closed:
                            return
                except (_SocketLost, EventsLost):
                    continue
            until = time.monotonic() + SOCKET_AGAIN_SECONDS
            while time.monotonic() < until:
                page = self.send(calls.progress(run_id, after=cursor), patience_seconds=patience_seconds)
                cursor = max(cursor, page.next)
                is_done = page.closed and not page.records
                yield page.model_copy(update={"closed": is_done})
                if is_done:
                    return
                if not page.records:
                    time.sleep(POLL_SECONDS)

    def _event_pages(self, run_id: str, cursor: int, tick_seconds: float) -> Iterator[ProgressPage]:
        del tick_seconds  # the server's comments come as often
        reader = EventReader(cursor)
        try:
            with self._http.stream("GET", **wire.event_arguments(run_id, cursor)) as response:
                wire.check_events(response)
                for chunk in response.iter_bytes():
                    yield from reader.read(chunk)
        except (httpx.TransportError, httpx.StreamError, ValueError) as error:
            raise EventsLost from error

    def _socket_pages(self, run_id: str, cursor: int, tick_seconds: float) -> Iterator[ProgressPage]:
        from websockets.exceptions import ConnectionClosed, WebSocketException
        from websockets.sync.client import connect

        address = wire.socket_url(self.url, run_id, cursor)
        try:
            with connect(address, **wire.socket_arguments(self.url, self._token)) as socket:
                while True:
                    try:
                        page = wire.read_frame(socket.recv(timeout=tick_seconds), cursor)
                    except TimeoutError:
                        page = ProgressPage(next=cursor)
                    if page is not None:
                        cursor = page.next
                        yield page
        except (ConnectionClosed, WebSocketException, OSError, ValueError) as error:
            raise _SocketLost from error

    def wait(
        self,
        run_id: str,
        until: Until = settled,
        *,
        after: int = 0,
        on_page: OnPage | None = None,
        on_run: OnRun | None = None,
        timeout_seconds: float | None = None,
        patience_seconds: float = PATIENCE_OF_WAITING_SECONDS,
    ) -> Run:
        """Wait until ``until`` holds or the run is final, and return it.

        ``on_page`` gets every record on the way, ``on_run`` the run as often as it is looked at. Restarts of the server
        and broken connections are waited out, each up to ``patience_seconds``. Raises ``WaitTimeout`` after
        ``timeout_seconds``; the run goes on.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        cursor, looked = after, 0.0
        for page in self.watch(run_id, after, patience_seconds=patience_seconds):
            cursor = page.next
            if on_page is not None:
                on_page(page)
            now = time.monotonic()
            if may_have_moved(page) or now - looked >= LOOK_AGAIN_SECONDS:
                looked = now
                run = self.send(calls.get_run(run_id), patience_seconds=patience_seconds)
                if on_run is not None:
                    on_run(run)
                if until(run) or run.is_final:
                    self._drain(run_id, cursor, on_page)
                    return run
            if deadline is not None and now >= deadline:
                raise WaitTimeout(f"Run {run_id} was not there after {timeout_seconds:.0f} s. It goes on.", run_id)
        return self.send(calls.get_run(run_id), patience_seconds=patience_seconds)

    def _drain(self, run_id: str, cursor: int, on_page: OnPage | None) -> None:
        """Give out the records that were written before the run moved and did not come yet."""
        while on_page is not None:
            try:
                page = self.send(calls.progress(run_id, after=cursor))
            except (ApiError, Unreachable):
                return
            if not page.records:
                return
            cursor = page.next
            on_page(page)


def may_have_moved(page: ProgressPage) -> bool:
    """Whether a page says that its run may have another status now."""
    return page.closed or any(record.type.startswith("run.") for record in page.records)
