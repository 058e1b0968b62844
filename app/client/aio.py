"""The asynchronous client: the same as ``SluiceClient``, awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Self, TypeVar

import httpx

from app.client import calls, wire
from app.client.calls import Call
from app.client.errors import ApiError, Unreachable, WaitTimeout
from app.client.events import EventReader, EventsLost
from app.client.lines import LineReader
from app.client.models import Page, ProgressPage, Record, Run, settled
from app.client.retry import Attempts, Say, silent
from app.client.sync import (
    LOOK_AGAIN_SECONDS,
    PATIENCE_OF_KEYED_SECONDS,
    PATIENCE_OF_WAITING_SECONDS,
    PATIENCE_SECONDS,
    POLL_SECONDS,
    SOCKET_AGAIN_SECONDS,
    OnPage,
    OnRun,
    Until,
    may_have_moved,
)
from app.core.retry_after import retry_after

T = TypeVar("T")


class _SocketLost(Exception):
    """The WebSocket could not be opened, or broke off."""


class AsyncSluiceClient:
    """Talks to one Sluice with one token. Use as an async context manager, or ``close`` it."""

    def __init__(self, url: str, token: str | None = None, *, say: Say = silent, transport: Any = None) -> None:
        self.url = wire.check_url(url)
        self._token = wire.check_token(token)
        self._say = say
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=wire.headers(self._token),
            trust_env=not wire.is_loopback(self.url),
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"AsyncSluiceClient({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T], *, patience_seconds: float | None = None) -> T:
        """Send a call and return what it reads; see ``SluiceClient.send``."""
        if patience_seconds is None:
            patience_seconds = PATIENCE_OF_KEYED_SECONDS if call.idempotency_key else PATIENCE_SECONDS
        attempts = Attempts(call.may_repeat, patience_seconds, self._say)
        while True:
            try:
                response = await self._http.request(**wire.request_arguments(call))
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
            await asyncio.sleep(delay)

    async def lines(self, call: Call[Any]) -> AsyncIterator[str]:
        """Yield the lines of an answer as they come; see ``SluiceClient.lines``."""
        try:
            async with self._http.stream(**wire.request_arguments(call)) as response:
                if not response.is_success:
                    await response.aread()
                    raise wire.api_error(response, self.url)
                lines = LineReader()
                async for text in response.aiter_text():
                    for line in lines.read(text):
                        yield line
                if lines.rest:
                    yield lines.rest
        except httpx.TransportError as error:
            raise wire.failure(error, self.url)[0] from error

    async def items(
        self, page_call: Callable[[str | None], Call[Page[T]]], *, limit: int | None = None
    ) -> AsyncIterator[T]:
        """Yield the items of all pages, at most ``limit``; ``page_call`` makes the call for a cursor."""
        cursor: str | None = None
        given = 0
        while True:
            page = await self.send(page_call(cursor))
            for item in page.items:
                if limit is not None and given >= limit:
                    return
                given += 1
                yield item
            cursor = page.next_cursor
            if cursor is None or (limit is not None and given >= limit):
                return

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[Record]:
        """Yield a run's records from an offset on, as they come, until the stream is closed. Nothing is lost."""
        async for page in self.watch(run_id, after):
            for record in page.records:
                yield record

    async def watch(
        self,
        run_id: str,
        after: int = 0,
        *,
        tick_seconds: float = 2.0,
        patience_seconds: float = PATIENCE_OF_WAITING_SECONDS,
    ) -> AsyncIterator[ProgressPage]:
        """Yield pages of records as they come, and empty ones while nothing does; see ``SluiceClient.watch``."""
        cursor = after
        while True:
            for pages in (self._socket_pages, self._event_pages):
                try:
                    async for page in pages(run_id, cursor, tick_seconds):
                        cursor = page.next
                        yield page
                        if page.closed:
                            return
                except (_SocketLost, EventsLost):
                    continue
            until = time.monotonic() + SOCKET_AGAIN_SECONDS
            while time.monotonic() < until:
                page = await self.send(calls.progress(run_id, after=cursor), patience_seconds=patience_seconds)
                cursor = max(cursor, page.next)
                is_done = page.closed and not page.records
                yield page.model_copy(update={"closed": is_done})
                if is_done:
                    return
                if not page.records:
                    await asyncio.sleep(POLL_SECONDS)

    async def _event_pages(self, run_id: str, cursor: int, tick_seconds: float) -> AsyncIterator[ProgressPage]:
        del tick_seconds  # the server's comments come as often
        reader = EventReader(cursor)
        try:
            async with self._http.stream("GET", **wire.event_arguments(run_id, cursor)) as response:
                wire.check_events(response)
                async for chunk in response.aiter_bytes():
                    for page in reader.read(chunk):
                        yield page
        except (httpx.TransportError, httpx.StreamError, ValueError) as error:
            raise EventsLost from error

    async def _socket_pages(self, run_id: str, cursor: int, tick_seconds: float) -> AsyncIterator[ProgressPage]:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        address = wire.socket_url(self.url, run_id, cursor)
        try:
            async with connect(address, **wire.socket_arguments(self.url, self._token)) as socket:
                while True:
                    try:
                        page = wire.read_frame(await asyncio.wait_for(socket.recv(), tick_seconds), cursor)
                    except TimeoutError:
                        page = ProgressPage(next=cursor)
                    if page is not None:
                        cursor = page.next
                        yield page
        except (WebSocketException, OSError, ValueError) as error:
            raise _SocketLost from error

    async def wait(
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
        """Wait until ``until`` holds or the run is final, and return it; see ``SluiceClient.wait``.

        Raises ``WaitTimeout``, and what ``watch`` raises.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        cursor, looked = after, 0.0
        async for page in self.watch(run_id, after, patience_seconds=patience_seconds):
            cursor = page.next
            if on_page is not None:
                on_page(page)
            now = time.monotonic()
            if may_have_moved(page) or now - looked >= LOOK_AGAIN_SECONDS:
                looked = now
                run = await self.send(calls.get_run(run_id), patience_seconds=patience_seconds)
                if on_run is not None:
                    on_run(run)
                if until(run) or run.is_final:
                    await self._drain(run_id, cursor, on_page)
                    return run
            if deadline is not None and now >= deadline:
                raise WaitTimeout(f"Run {run_id} was not there after {timeout_seconds:.0f} s. It goes on.", run_id)
        return await self.send(calls.get_run(run_id), patience_seconds=patience_seconds)

    async def _drain(self, run_id: str, cursor: int, on_page: OnPage | None) -> None:
        while on_page is not None:
            try:
                page = await self.send(calls.progress(run_id, after=cursor))
            except (ApiError, Unreachable):
                return
            if not page.records:
                return
            cursor = page.next
            on_page(page)
