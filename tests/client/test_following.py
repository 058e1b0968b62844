"""Following loses nothing and gives nothing twice, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from app.client import AsyncSluiceClient, ProgressPage, SluiceClient, Unreachable, WaitTimeout
from app.client import aio as async_module
from app.client import sync as sync_module
from tests.client.fake_server import fake_server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sync_module, async_module):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
        monkeypatch.setattr(module, "SOCKET_AGAIN_SECONDS", 0.05)


def offsets(client: SluiceClient, after: int = 0) -> list[int]:
    return [record.offset for record in client.follow("run-1", after)]


async def async_offsets(url: str, after: int = 0) -> list[int]:
    async with AsyncSluiceClient(url, "t") as client:
        records: AsyncIterator[object] = client.follow("run-1", after)
        return [record.offset async for record in records]  # type: ignore[attr-defined]


@pytest.mark.parametrize("after", [0, 4])
def test_follow_socket_that_breaks_off_is_resumed_at_the_cursor(after: int) -> None:
    with fake_server(12, [3, 2, 50]) as server, SluiceClient(server.url, "t") as client:
        assert offsets(client, after) == list(range(after, 12))
        assert server.cursors[0] == after
        assert server.cursors == sorted(server.cursors)


def test_follow_without_a_socket_polls_the_same_records() -> None:
    with fake_server(10, []) as server, SluiceClient(server.url, "t") as client:
        assert offsets(client, 2) == list(range(2, 10))
        assert server.cursors == []
        assert server.polls[0] == 2


def test_follow_outage_while_polling_is_waited_out() -> None:
    with fake_server(5, []) as server, SluiceClient(server.url, "t") as client:
        server.answers = [503, 502]
        assert offsets(client) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("frame_sizes", [[3, 2, 50], []])
def test_async_follow_gives_the_same(frame_sizes: list[int]) -> None:
    with fake_server(9, frame_sizes) as server:
        assert asyncio.run(async_offsets(server.url, 1)) == list(range(1, 9))


def test_watch_server_that_is_gone_ends_with_the_patience() -> None:
    with fake_server(1, []) as server:
        url = server.url
    with SluiceClient(url, "t") as client, pytest.raises(Unreachable, match="SLUICE_URL"):
        list(client.watch("run-1", patience_seconds=0.3))


def test_wait_returns_when_the_run_is_there_and_gives_every_record_once() -> None:
    with fake_server(20, [4, 4]) as server, SluiceClient(server.url, "t") as client:
        server.is_closed = False
        seen: list[int] = []
        run = client.wait("run-1", on_page=lambda page: seen.extend(record.offset for record in page.records))
        assert run.status == "awaiting_approval"
        assert seen == list(range(20))


def test_async_wait_returns_when_the_run_is_there() -> None:
    async def waited(url: str) -> tuple[str, list[int]]:
        seen: list[int] = []

        def take(page: ProgressPage) -> None:
            seen.extend(record.offset for record in page.records)

        async with AsyncSluiceClient(url, "t") as client:
            return (await client.wait("run-1", on_page=take)).status, seen

    with fake_server(7, [4]) as server:
        server.is_closed = False
        assert asyncio.run(waited(server.url)) == ("awaiting_approval", list(range(7)))


def test_wait_hears_of_each_look_and_so_of_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_module, "LOOK_AGAIN_SECONDS", 0.0)
    said: list[str] = []
    with fake_server(1, []) as server, SluiceClient(server.url, "t") as client:
        server.is_closed, server.places = False, [12, 3, 2, 1]
        run = client.wait("run-1", on_run=lambda run: said.append(run.queue.words if run.queue else run.status))
    assert run.status == "awaiting_approval"
    places = [f"{place} in the queue. Waits for run-0." for place in ("12th", "3rd", "2nd", "1st")]
    assert said == [*places, "awaiting_approval"]


def test_wait_too_long_says_that_the_run_goes_on() -> None:
    with fake_server(1, []) as server, SluiceClient(server.url, "t") as client:
        server.is_closed, server.status = False, "running"
        with pytest.raises(WaitTimeout, match="goes on"):
            client.wait("run-1", timeout_seconds=0.1)


def test_wait_stream_that_closes_early_gives_the_run_as_it_is() -> None:
    with fake_server(2, [50]) as server, SluiceClient(server.url, "t") as client:
        server.status = "running"
        assert client.wait("run-1").status == "running"


def pages(client: SluiceClient) -> Iterator[ProgressPage]:
    return client.watch("run-1", tick_seconds=0.05)


def test_watch_silence_gives_empty_pages() -> None:
    with fake_server(0, []) as server, SluiceClient(server.url, "t") as client:
        server.is_closed = False
        page = next(pages(client))
        assert (page.records, page.next, page.closed) == ([], 0, False)
