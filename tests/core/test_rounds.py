"""Work that is done again and again from a thread of its own."""

import logging
import threading

import pytest
from sqlalchemy.exc import OperationalError

from app.core.errors import Unavailable
from app.core.rounds import Rounds

SOON_SECONDS = 5.0


def test_rounds_go_on_after_one_that_failed_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    tried, done = [], threading.Event()

    def work() -> None:
        tried.append(threading.current_thread().name)
        if len(tried) == 1:
            raise OperationalError("select 1", {}, Exception("away"))
        if len(tried) == 2:
            raise Unavailable("Not now.")
        done.set()

    rounds = Rounds("watch", work, seconds=0.01, on_failure="nothing is watched now")
    with caplog.at_level(logging.WARNING, logger="app.core.rounds"):
        rounds.start()
        assert done.wait(SOON_SECONDS)
        rounds.stop()
    assert set(tried) == {"watch"}
    assert [record.message for record in caplog.records] == ["nothing is watched now"] * 2


def test_rounds_begin_with_the_first_work_and_go_on_when_it_fails() -> None:
    order: list[str] = []
    done = threading.Event()

    def first() -> None:
        order.append("first")
        raise Unavailable("Not yet.")

    def work() -> None:
        order.append("work")
        done.set()

    rounds = Rounds("watch", work, seconds=0.01, on_failure="nothing is watched now", first=first)
    rounds.start()
    assert done.wait(SOON_SECONDS)
    rounds.stop()
    assert order[:2] == ["first", "work"]


def test_rounds_that_were_stopped_begin_no_further_one_and_the_last_has_ended() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        go_on.wait(SOON_SECONDS)
        ended.append(True)

    rounds = Rounds("watch", work, seconds=0.0, on_failure="nothing is watched now")
    rounds.start()
    assert begun.wait(SOON_SECONDS)
    rounds.stop(wait_seconds=0)
    assert not ended
    go_on.set()
    rounds.stop()
    assert ended == [True]


def test_rounds_that_were_never_started_stop_at_once() -> None:
    Rounds("watch", lambda: None, seconds=60, on_failure="nothing is watched now").stop()
