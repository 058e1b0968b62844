"""What a process does every few seconds goes on, whatever one round raises."""

import threading
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from app.core.errors import Unavailable
from app.core.rounds import Rounds
from tests.support.waiting import PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("error", "level"), [(Unavailable("The store is away."), "WARNING"), (KeyError("nobody foresaw it"), "ERROR")]
)
def test_round_that_raises_is_logged_and_the_next_one_comes(
    caplog: pytest.LogCaptureFixture, error: Exception, level: str
) -> None:
    raised: Iterator[Exception | None] = chain([error], repeat(None))
    done = threading.Event()

    def work() -> None:
        if (now := next(raised)) is not None:
            raise now
        done.set()

    rounds = Rounds("test", work, seconds=0.01, on_failure="nothing is looked at now")
    rounds.start()
    assert done.wait(PATIENCE_SECONDS), "one bad round ends no watch"
    rounds.stop()
    [said] = [record for record in caplog.records if record.message == "nothing is looked at now"]
    assert said.levelname == level
    assert (said.exc_info is not None) == (level == "ERROR")
