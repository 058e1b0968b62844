"""What of the engine's words goes into a run's log."""

from app.executor.engine import Notice
from app.runner.masking import Masker
from app.runner.port import ProgressRecord
from app.runner.reporting import Reporter


class Feed:
    """Keeps what a reporter adds."""

    def __init__(self) -> None:
        self.records: list[ProgressRecord] = []

    def add(self, record: ProgressRecord) -> None:
        self.records.append(record)


def test_take_cuts_a_notice_that_is_longer_than_a_record_may_be() -> None:
    feed = Feed()
    Reporter(feed, Masker([])).take(Notice("network", "x" * 100_000))  # type: ignore[arg-type]
    assert [len(record.text) for record in feed.records] == [64 * 1024]
