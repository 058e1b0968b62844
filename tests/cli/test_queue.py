"""`sluice queue` against a running Sluice: the numbers, the limit in each of its forms, the workers."""

from collections.abc import Iterator

import pytest

from tests.support.server import RunningSluice
from tests.support.waiting import until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("cli"),
]


@pytest.fixture
def by_default(sluice: RunningSluice) -> Iterator[RunningSluice]:
    """The server that other tests use too: its limit is the installation's again afterwards."""
    yield sluice
    sluice.ask("queue", "limit", "default")


@pytest.fixture
def at_rest(sluice: RunningSluice) -> RunningSluice:
    """The server once what earlier tests left is over, and its worker has said so."""

    def rests() -> bool:
        found = sluice.ask("queue", "show")
        return (found["queued"], found["executing"], found["workers"]["busy"]) == (0, 0, 0)

    until(rests, "at rest")
    return sluice


def test_queue_show_tells_numbers_and_where_the_runs_are_listed(at_rest: RunningSluice) -> None:
    sluice = at_rest
    found = sluice.ask("queue", "show")
    assert (found["queued"], found["executing"], found["effective_limit"], found["is_default"]) == (0, 0, None, True)
    assert found["workers"]["count"] == 1
    shown = sluice.run("queue", "show").out
    assert "any number (the installation's default)" in shown
    assert f"execute 0 of {found['workers']['concurrency']} runs at once, on 1 worker" in shown
    assert "sluice runs --status queued" in sluice.run("queue", "show", "--help").out


def test_queue_limit_is_set_shown_and_taken_back(by_default: RunningSluice) -> None:
    sluice = by_default
    assert sluice.ask("queue", "limit", "3")["own_limit"] == 3
    assert "3 (its own limit)" in sluice.run("queue", "limit").out
    assert sluice.ask("queue", "limit")["effective_limit"] == 3, "shown, and not changed"
    none = sluice.ask("queue", "limit", "none")
    assert (none["effective_limit"], none["is_default"]) == (None, False)
    assert "any number (its own limit)" in sluice.run("queue", "limit").out
    assert sluice.ask("queue", "limit", "default")["is_default"]
    for wrong in ("0", "many"):
        refused = sluice.ask("queue", "limit", wrong, code=1)
        assert refused["code"] == "limit_invalid"


def test_queue_workers_lists_what_each_may_execute_at_once(at_rest: RunningSluice) -> None:
    sluice = at_rest
    (worker,) = sluice.ask("queue", "workers")["items"]
    assert worker["is_alive"]
    assert worker["concurrency"] > 0
    shown = sluice.run("queue", "workers").out
    assert worker["name"] in shown
    assert f"0 of {worker['concurrency']}" in shown
