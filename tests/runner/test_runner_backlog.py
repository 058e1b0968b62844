import json
from typing import Any

import pytest

from app.core import clock
from app.runner import backlog
from app.runner.backlog import Backlog
from app.runner.port import ProgressRecord


def record(text: str, **data: Any) -> ProgressRecord:
    return ProgressRecord(at=clock.now(), kind="event" if data else "line", stream="stdout", text=text, data=data)


def drained(waiting: Backlog, most: int = 7) -> list[ProgressRecord]:
    found: list[ProgressRecord] = []
    while batch := waiting.first(most, 10_000):
        waiting.drop(len(batch))
        found += batch
    return found


def test_backlog_gives_everything_back_in_order_across_its_file() -> None:
    waiting = Backlog(front_bytes=5_000, back_bytes=2_000)
    expected = [record(f"{number} é\u4e2d", type="x", n=number) for number in range(400)]
    taken: list[ProgressRecord] = []
    for number, each in enumerate(expected):
        waiting.add(each)
        if number % 50 == 49:
            batch = waiting.first(9, 10_000)
            waiting.drop(len(batch))
            taken += batch
    assert waiting.spilled > 200
    assert taken + drained(waiting) == expected
    assert len(waiting) == 0
    waiting.add(record("again"))
    assert [each.text for each in drained(waiting)] == ["again"]


def test_backlog_keeps_little_in_memory() -> None:
    waiting = Backlog(front_bytes=100_000, back_bytes=50_000)
    for number in range(20_000):
        waiting.add(record(f"{number} " + "x" * 100))
    in_memory = len(waiting) - waiting.spilled
    assert len(waiting) == 20_000
    assert in_memory < 500
    waiting.close()


def test_backlog_file_tells_nobody_anything() -> None:
    waiting = Backlog(front_bytes=1_000, back_bytes=1_000)
    for _ in range(100):
        waiting.add(record("a line that nobody should find on the disk"))
    assert waiting._file is not None
    waiting._file.seek(0)
    content = waiting._file.read()
    assert len(content) > 500
    assert b"nobody" not in content
    waiting.close()


def test_backlog_without_a_disk_keeps_all_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backlog.tempfile, "TemporaryFile", full)
    waiting = Backlog(front_bytes=1_000, back_bytes=1_000)
    for number in range(100):
        waiting.add(record(str(number)))
    assert [each.text for each in drained(waiting)] == [str(number) for number in range(100)]


def test_backlog_batches_are_bounded_in_bytes() -> None:
    waiting = Backlog()
    for _ in range(10):
        waiting.add(record("x" * 4000))
    assert len(waiting.first(100, 10_000)) == 2
    waiting.drop(2)
    waiting.add(record("y" * 20_000))
    assert len(waiting.first(1, 10)) == 1
    assert json.dumps(waiting.last(1)[0].text) == json.dumps("y" * 20_000)
