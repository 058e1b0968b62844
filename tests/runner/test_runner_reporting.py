"""What of the engine's words goes into a run's log."""

import json

from pydantic_core import to_json

from app.core.masking import Masker
from app.executor.engine import Notice, Output
from app.executor.events import parse
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


def test_take_masks_the_level_too_and_shows_halves_of_characters_as_such() -> None:
    feed = Feed()
    reporter = Reporter(feed, Masker(["hunter2-secret"]))  # type: ignore[arg-type]
    for kind in ("log", "outputs", "diagnostic"):
        for level in ("hunter2-secret", "\ud800", "x" * 100_000):
            event = parse(json.dumps({"@message": "m", "@level": level, "type": kind, kind: {}}))
            reporter.take(Output("plan", "stdout", event, is_partial=False))
    sent = to_json([record.data for record in feed.records]).decode()
    assert len(feed.records) == 9
    assert "hunter2" not in sent
    assert len(sent) < 2000


def test_take_masks_a_notice_and_makes_no_masker_for_a_fixed_one() -> None:
    feed, masker = Feed(), Masker(["s3cret"])
    reporter = Reporter(feed, masker)  # type: ignore[arg-type]
    reporter.take(Notice("init", "the same for every run", is_fixed=True))
    assert "pattern" not in vars(masker)
    reporter.take(Notice("network", "refused s3cret", {"host": "s3cret"}))
    assert [(record.text, record.data) for record in feed.records] == [
        ("the same for every run", {"type": "notice", "command": "init"}),
        ("refused ***", {"type": "notice", "command": "network", "host": "***"}),
    ]
