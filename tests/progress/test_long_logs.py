"""A million lines, and a line of 64 MiB, from the engine's pipe to the reader."""

import json
from typing import Any

import pytest
from pydantic_core import from_json

from app.core import clock
from app.core.db import unit_of_work
from app.core.masking import MASK, Masker
from app.executor.engine import Output
from app.executor.events import parse
from app.executor.lines import LINE_BYTES, Line, LineSplitter
from app.progress import reading, service
from app.progress.schemas import NewRecord
from app.runner.backlog import Backlog
from app.runner.port import ProgressRecord
from app.runner.reporting import Reporter
from tests.progress.conftest import Streams

LINES = 1_000_000
BATCH = 5_000
READ_FROM = 900_000


class _Kept:
    def __init__(self) -> None:
        self.backlog = Backlog(front_bytes=4 * 1024 * 1024)

    def add(self, record: ProgressRecord) -> None:
        self.backlog.add(record)


def test_line_of_64_mebibytes_comes_through_whole_masked_and_in_bounded_memory() -> None:
    feed = _Kept()
    reporter = Reporter(feed, Masker(["hunter2-secret"]))  # type: ignore[arg-type]

    def take(line: Line) -> None:
        reporter.take(Output("apply", line.stream, parse(line.text), line.is_partial))

    splitter = LineSplitter("stdout", LINE_BYTES, take)
    chunk = b"x" * 65_500 + b"hunter2-secret" + "é".encode() * 11
    total = 64 * 1024 * 1024 // len(chunk)
    for _ in range(total):
        splitter.feed(chunk)
    splitter.feed(b"\nnext\n")
    assert feed.backlog.spilled > 0
    size = count = 0
    last = ""
    while batch := feed.backlog.first(2000, 1024 * 1024):
        feed.backlog.drop(len(batch))
        assert all(len(record.text) <= 64 * 1024 for record in batch)
        assert not any("hunter2" in record.text for record in batch)
        size += sum(len(record.text) for record in batch)
        count += sum(record.text.count(MASK) for record in batch)
        last = batch[-1].text
    assert last == "next"
    # A mask may lie on the seam of two records.
    assert total - 1100 <= count <= total
    assert size == total * (65_500 + len(MASK) + 11) + len("next")


@pytest.mark.races
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_log_of_a_million_lines_is_stored_compacted_and_read(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = streams.new()
    at = clock.now()
    for start in range(0, LINES, BATCH):
        records = [
            NewRecord.model_construct(
                at=at, kind="line", stream="stdout", text=f"line {number}: Still creating...", data={}
            )
            for number in range(start, start + BATCH)
        ]
        with unit_of_work() as session:
            service.append(session, run_id, records)
    streams.close(run_id)
    assert service.compact(run_id)
    looked_at = 0

    def counted(data: bytes) -> Any:
        nonlocal looked_at
        found = from_json(data)
        looked_at += len(found)
        return found

    monkeypatch.setattr(reading, "from_json", counted)
    with unit_of_work() as session:
        page = service.read(session, run_id, organization_id=streams.organization_id, after=READ_FROM, limit=1000)
    assert page.records[0].text.startswith(f"line {READ_FROM}:")
    assert looked_at < LINES / 50, "a page is found without all that comes before it"
    after = READ_FROM
    while True:
        with unit_of_work() as session:
            encoded = service.read_encoded(
                session, run_id, organization_id=streams.organization_id, after=after, limit=BATCH
            )
        found = json.loads(encoded.body)["records"]
        assert [(each["offset"], each["text"].split(":")[0]) for each in found] == [
            (number, f"line {number}") for number in range(after, after + len(found))
        ]
        after = encoded.next
        if encoded.closed:
            break
    assert after == LINES
