"""The same exact log behind nginx: over the WebSocket, as server-sent events, and by polling."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.client import AsyncSluiceClient, SluiceClient
from tests.progress.conftest import Streams
from tests.support import nginx

pytestmark = [pytest.mark.races, pytest.mark.processes, pytest.mark.nginx]
LINES = 600
WAYS: dict[str, Callable[[str], str]] = {
    "websocket": lambda configuration: configuration,
    "events": nginx.without_upgrade,
    "kept back": nginx.keeping_back,
    "polling": nginx.plain,
}


def write(served: Streams, run_id: str, expected: list[str], seconds: float) -> threading.Thread:
    def work() -> None:
        dice = random.Random(5)
        left = list(expected)
        while left:
            size = dice.randint(1, 40)
            served.append(run_id, *left[:size])
            del left[:size]
            time.sleep(seconds * size / len(expected))
        served.close(run_id)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("way", WAYS)
def test_log_behind_nginx_is_exact_by_every_way(served: Streams, tmp_path: Path, way: str) -> None:
    run_id = served.new()
    expected = [f"line {number} " + "ä" * (number % 50) for number in range(LINES)]
    with nginx.running(served.address, tmp_path, WAYS[way](nginx.CONFIGURATION.read_text())) as proxy:
        writer = write(served, run_id, expected, seconds=2)
        with SluiceClient(proxy.url, served.viewer.token) as client:
            records = list(client.follow(run_id))
        writer.join(30)
        assert [record.text for record in records] == expected
        assert [record.offset for record in records] == list(range(LINES))

        async def again() -> list[str]:
            async with AsyncSluiceClient(proxy.url, served.viewer.token) as client:
                return [record.text async for record in client.follow(run_id, 100)]

        assert asyncio.run(again()) == expected[100:]
        answers = proxy.answers()
    paths = [path.rsplit("/", 1)[-1] for status, path in answers if status in {101, 200}]
    if way == "websocket":
        assert {status for status, _ in answers} == {101}
    elif way == "events":
        assert 101 not in {status for status, _ in answers}
        assert set(paths) == {"events"}
    elif way == "polling":
        assert set(paths) == {"progress"}
        assert paths.count("progress") > 2
