import random
import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import unit_of_work
from app.progress import service
from app.progress.errors import StreamNotFound
from app.progress.models import ProgressChunk
from app.progress.schemas import ProgressPage
from tests.progress.conftest import Streams

WRITERS = 6
BATCHES = 25


def read(streams: Streams, run_id: str, after: int = 0, **options: Any) -> ProgressPage:
    with unit_of_work() as session:
        return service.read(session, run_id, organization_id=streams.organization_id, after=after, **options)


def test_read_gives_what_was_appended_from_any_offset(streams: Streams) -> None:
    run_id = streams.new()
    assert streams.append(run_id, "a", "b", "c") == 3
    assert streams.append(run_id, "d") == 4
    for after in range(6):
        page = read(streams, run_id, after)
        assert [record.text for record in page.records] == list("abcd")[after:]
        assert [record.offset for record in page.records] == list(range(after, 4))
        assert page.next == 4
        assert not page.closed
    assert [record.text for record in read(streams, run_id, 1, limit=2).records] == ["b", "c"]


def test_read_closed_stream_says_so_only_at_its_end(streams: Streams) -> None:
    run_id = streams.new()
    streams.append(run_id, "a", "b")
    streams.close(run_id)
    assert not read(streams, run_id, 0, limit=1).closed
    page = read(streams, run_id, 1)
    assert (page.closed, page.next) == (True, 2)
    assert read(streams, run_id, 2).closed


def test_read_long_lines_come_in_several_pages(streams: Streams) -> None:
    run_id = streams.new()
    streams.append(run_id, *["x" * (service.MAX_BYTES // 3)] * 5, "y" * 2 * service.MAX_BYTES, "last")
    sizes, after = [], 0
    while page := read(streams, run_id, after).records:
        assert page[0].offset == after
        sizes.append(len(page))
        after += len(page)
    assert sum(sizes) == 7
    assert max(sizes) <= 4


def test_read_another_tenant_s_stream_is_not_found(streams: Streams) -> None:
    run_id = streams.new()
    with unit_of_work() as session, pytest.raises(StreamNotFound):
        service.read(session, run_id, organization_id="org-other", after=0)


def test_append_that_rolls_back_leaves_no_gap(streams: Streams) -> None:
    run_id = streams.new()
    streams.append(run_id, "a")
    with pytest.raises(RuntimeError), unit_of_work() as session:
        service.append(session, run_id, [])
        service.close_stream(session, run_id)
        raise RuntimeError
    streams.append(run_id, "b")
    page = read(streams, run_id)
    assert [record.offset for record in page.records] == [0, 1]
    assert not page.closed


def test_stored_records_hold_no_plain_text(streams: Streams) -> None:
    run_id = streams.new()
    streams.append(run_id, "a line that nobody should find on the disk")
    with unit_of_work() as session:
        [chunk] = session.scalars(select(ProgressChunk).filter_by(run_id=run_id)).all()
    assert b"nobody" not in chunk.sealed


@pytest.mark.races
def test_concurrent_appenders_commit_in_the_order_of_their_offsets(  # noqa: C901 - writers and a reader
    streams: Streams,
) -> None:
    run_id = streams.new()
    done = threading.Event()
    broken: list[BaseException] = []
    written: dict[int, list[str]] = {}

    def write(number: int) -> None:
        dice = random.Random(number)
        sent = written.setdefault(number, [])
        try:
            for batch in range(BATCHES):
                texts = [f"{number}-{batch}-{index}" for index in range(dice.randint(1, 4))]
                streams.append(run_id, *texts)
                sent += texts
        except BaseException as error:
            broken.append(error)

    seen: list[str] = []

    def follow() -> None:
        after = 0
        while True:
            is_last = done.is_set()
            page = read(streams, run_id, after)
            offsets = [record.offset for record in page.records]
            if offsets != list(range(after, after + len(offsets))):
                broken.append(AssertionError(f"a gap after {after}: {offsets}"))
                return
            seen.extend(record.text for record in page.records)
            after = page.next
            if is_last and not offsets:
                return

    reader = threading.Thread(target=follow, daemon=True)
    writers = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(WRITERS)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    reader.join(60)
    assert not broken, broken
    assert sorted(seen) == sorted(text for sent in written.values() for text in sent)
    for number, sent in written.items():
        assert [text for text in seen if text.startswith(f"{number}-")] == sent
