import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from tests.support.joined import JoinedSessions


def test_thread_that_an_earlier_test_left_gets_no_session_of_this_one(session: Session) -> None:
    go_on, refused = threading.Event(), []

    def wait_and_try_again() -> None:
        go_on.wait(10)
        try:
            joined()
        except InvalidRequestError as error:
            refused.append(str(error))

    thread = threading.Thread(target=wait_and_try_again, name="fanout-abc", daemon=True)
    thread.start()
    joined = JoinedSessions(session.connection())
    go_on.set()
    thread.join(10)
    assert refused == ["fanout-abc works for a test that is over"]
    with joined() as own:
        assert own.scalar(text("select 1")) == 1


def test_what_an_application_does_beside_its_requests_gets_no_session(session: Session) -> None:
    joined, refused = JoinedSessions(session.connection()), []

    def look() -> None:
        try:
            joined()
        except InvalidRequestError as error:
            refused.append(str(error))

    thread = threading.Thread(target=look, name="halt-caretaker", daemon=True)
    thread.start()
    thread.join(10)
    assert refused == ["halt-caretaker works beside the test, which has one transaction"]


def test_test_ends_only_once_its_threads_have_closed_their_sessions(session: Session) -> None:
    joined = JoinedSessions(session.connection())
    opened, close = threading.Event(), threading.Event()

    def work() -> None:
        with joined():
            opened.set()
            close.wait(10)

    thread = threading.Thread(target=work, name="watcher", daemon=True)
    thread.start()
    assert opened.wait(10)
    with pytest.raises(AssertionError, match="watcher"):
        joined.end(seconds=0.05)
    close.set()
    joined.end()
    thread.join(10)
    with pytest.raises(InvalidRequestError):
        joined()
