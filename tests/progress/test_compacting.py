import random
import threading
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.core import clock
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import unit_of_work
from app.core.errors import IntegrityError, NotFound
from app.progress import compacting, reading, service, tasks
from app.progress.errors import LogRemoved
from app.progress.models import ProgressChunk, ProgressSegment, ProgressStream
from tests.progress.conftest import Streams

pytestmark = pytest.mark.races


def texts(streams: Streams, run_id: str, after: int = 0, limit: int = 5000) -> list[str]:
    """Read to the end, page by page."""
    found: list[str] = []
    while True:
        with unit_of_work() as session:
            page = service.read(
                session, run_id, organization_id=streams.organization_id, after=after + len(found), limit=limit
            )
        assert [record.offset for record in page.records] == list(range(after + len(found), page.next))
        found += [record.text for record in page.records]
        if page.closed or not page.records:
            return found


def rows(run_id: str) -> tuple[int, int]:
    """Return how many chunks and how many segments the run has."""
    with unit_of_work() as session:
        return tuple(  # type: ignore[return-value]
            session.scalars(select(func.count()).select_from(model).where(model.run_id == run_id)).one()
            for model in (ProgressChunk, ProgressSegment)
        )


def written(streams: Streams, lines: int, *, batch: int = 40) -> tuple[str, list[str]]:
    run_id = streams.new()
    expected = [f"line {number} " + "x" * (number % 70) for number in range(lines)]
    for start in range(0, lines, batch):
        streams.append(run_id, *expected[start : start + batch])
    return run_id, expected


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks and segments of few records."""
    monkeypatch.setattr(compacting, "BLOCK_RECORDS", 100)
    monkeypatch.setattr(compacting, "SEGMENT_BYTES", 2000)


def test_compact_leaves_the_same_log_in_artifacts(streams: Streams, small: None) -> None:
    run_id, expected = written(streams, 3000)
    assert not service.compact(run_id)
    streams.close(run_id)
    assert service.compact(run_id)
    chunks, segments = rows(run_id)
    assert chunks == 0
    assert segments > 2
    assert texts(streams, run_id) == expected
    for after in random.Random(3).sample(range(3000), 20):
        assert texts(streams, run_id, after, limit=77) == expected[after:]
    assert not service.compact(run_id)


def test_compacted_artifacts_are_sealed(streams: Streams) -> None:
    run_id, _ = written(streams, 10)
    streams.close(run_id)
    service.compact(run_id)
    with unit_of_work() as session:
        [segment] = session.scalars(select(ProgressSegment).filter_by(run_id=run_id)).all()
    reference = ArtifactRef.model_validate(segment.artifact)
    assert reference.kind == "log"
    assert b"line 3" not in artifact_store()._blobs.get(reference.key)


def test_read_far_behind_opens_one_segment_and_one_block(
    streams: Streams, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, expected = written(streams, 3000)
    streams.close(run_id)
    service.compact(run_id)
    opened: list[str] = []
    get = artifact_store().get

    def counting(reference: ArtifactRef) -> bytes:
        opened.append(reference.key)
        return get(reference)

    monkeypatch.setattr(artifact_store(), "get", counting)
    monkeypatch.setattr(reading, "_segments", reading._Segments())
    unpacked: list[int] = []
    from_json = reading.from_json
    monkeypatch.setattr(reading, "from_json", lambda data: unpacked.append(len(data)) or from_json(data))
    with unit_of_work() as session:
        page = service.read(session, run_id, organization_id=streams.organization_id, after=2905, limit=50)
    assert [record.text for record in page.records] == expected[2905:2955]
    assert len(opened) == 1
    assert len(unpacked) == 1


def test_compact_that_dies_before_the_switch_loses_nothing(
    streams: Streams, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, expected = written(streams, 500)
    streams.close(run_id)
    before = rows(run_id)

    def die(*_: Any) -> bool:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(compacting, "_switch", die)
        with pytest.raises(RuntimeError, match="killed"):
            service.compact(run_id)
    assert rows(run_id) == before
    assert texts(streams, run_id) == expected
    assert service.compact(run_id)
    assert texts(streams, run_id) == expected


def test_compact_whose_switch_rolls_back_loses_nothing(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, expected = written(streams, 500)
    streams.close(run_id)
    remove = compacting.repository.remove_chunks

    def remove_and_die(*arguments: Any) -> None:
        remove(*arguments)
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(compacting.repository, "remove_chunks", remove_and_die)
        with pytest.raises(RuntimeError, match="killed"):
            service.compact(run_id)
    assert rows(run_id)[1] == 0
    assert texts(streams, run_id) == expected


def test_readers_during_the_switch_see_the_exact_log(streams: Streams, small: None) -> None:
    run_id, expected = written(streams, 2000, batch=10)
    streams.close(run_id)
    wrong: list[object] = []
    done = threading.Event()

    def read_again_and_again(seed: int) -> None:
        dice = random.Random(seed)
        try:
            while not done.is_set():
                after = dice.randrange(2000)
                if texts(streams, run_id, after, limit=dice.randint(1, 900)) != expected[after:]:
                    wrong.append(after)
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=read_again_and_again, args=(seed,), daemon=True) for seed in range(3)]
    for reader in readers:
        reader.start()
    try:
        assert service.compact(run_id)
    finally:
        done.set()
        for reader in readers:
            reader.join(30)
    assert wrong == []
    assert texts(streams, run_id) == expected


def test_read_that_compaction_overtakes_doubles_nothing(
    streams: Streams, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, expected = written(streams, 500, batch=10)
    streams.close(run_id)
    look = reading.repository.chunks_from
    is_compacted: list[bool] = []

    def look_too_late(*given: Any) -> Any:
        # What was read so far came in chunks, and ends in the middle of a block.
        monkeypatch.setattr(reading.repository, "chunks_from", look)
        is_compacted.append(service.compact(run_id))
        return look(*given)

    monkeypatch.setattr(reading.repository, "chunks_from", look_too_late)
    assert texts(streams, run_id, 5) == expected[5:]
    assert is_compacted == [True]


def test_read_that_retention_overtakes_says_that_the_log_was_removed(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = written(streams, 100)
    streams.close(run_id)
    service.compact(run_id)
    look = reading.repository.segment_at

    def look_too_early(*given: Any) -> Any:
        found = look(*given)
        with unit_of_work() as session:
            service.remove(session, run_id)
        return found

    monkeypatch.setattr(reading.repository, "segment_at", look_too_early)
    with unit_of_work() as session, pytest.raises(LogRemoved):
        service.read(session, run_id, organization_id=streams.organization_id, after=0)


def test_log_whose_artifact_is_lost_is_damaged_and_not_unknown(streams: Streams) -> None:
    run_id, _ = written(streams, 100)
    streams.close(run_id)
    service.compact(run_id)
    with unit_of_work() as session:
        [segment] = session.scalars(select(ProgressSegment).filter_by(run_id=run_id)).all()
        artifact_store().delete(ArtifactRef.model_validate(segment.artifact))
        with pytest.raises(IntegrityError, match="missing"):
            service.read(session, run_id, organization_id=streams.organization_id, after=0)


def test_what_is_appended_after_compaction_is_read_behind_it(streams: Streams) -> None:
    run_id, expected = written(streams, 100)
    streams.close(run_id)
    assert service.compact(run_id)
    streams.append(run_id, "late")
    assert texts(streams, run_id) == [*expected, "late"]


def test_sweep_compacts_what_is_complete_for_a_while(streams: Streams) -> None:
    young, old, going = (written(streams, 20)[0] for _ in range(3))
    for run_id in (young, old):
        streams.close(run_id)
    with unit_of_work() as session:
        session.execute(
            update(ProgressStream)
            .where(ProgressStream.run_id == old)
            .values(closed_at=clock.now() - 2 * compacting.AGE)
        )
    assert tasks.compact() == 1
    assert (rows(old)[0], rows(young)[0], rows(going)[0]) == (0, 1, 1)
    assert tasks.compact() == 0


def test_remove_takes_the_artifacts_too(streams: Streams) -> None:
    run_id, _ = written(streams, 100)
    streams.close(run_id)
    service.compact(run_id)
    with unit_of_work() as session:
        [segment] = session.scalars(select(ProgressSegment).filter_by(run_id=run_id)).all()
        assert service.keeps_artifact(session, run_id, segment.artifact["key"])
    with unit_of_work() as session:
        service.remove(session, run_id)
    with pytest.raises(NotFound):
        artifact_store().get(ArtifactRef.model_validate(segment.artifact))
    with unit_of_work() as session, pytest.raises(LogRemoved):
        service.read(session, run_id, organization_id=streams.organization_id, after=0)
