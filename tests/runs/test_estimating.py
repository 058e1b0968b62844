import pytest

from app.progress.service import Timed
from app.runs.estimating import Change, Past, estimate


def timed(run: str, address: str, seconds: float, action: str = "create") -> Timed:
    return Timed(run, address, action, address.split(".", maxsplit=1)[0], seconds)


def test_estimate_without_history_says_nothing() -> None:
    found = estimate([Change("a.x", "a", "create")], [], [])
    assert (found.seconds, found.usual_seconds, found.applies) == (None, None, [])
    assert [(each.address, each.seconds, each.basis) for each in found.resources] == [("a.x", None, "none")]


def test_estimate_of_a_resource_is_its_own_median_else_its_type_s() -> None:
    history = [timed(f"run-{number}", "a.x", seconds) for number, seconds in enumerate((10, 30, 20))]
    past = [Past(f"run-{number}", 40, 30) for number in range(3)]
    found = estimate(
        [Change("a.x", "a", "create"), Change("a.new", "a", "create"), Change("b.z", "b", "create")], history, past
    )
    assert [(each.seconds, each.basis) for each in found.resources] == [(20, "address"), (20, "type"), (None, "none")]


def test_estimate_counts_as_many_at_once_as_there_used_to_be() -> None:
    history = [timed("run-1", f"a.x[{number}]", 10) for number in range(8)]
    found = estimate([Change(f"a.x[{number}]", "a", "create") for number in range(4)], history, [Past("run-1", 25, 20)])
    assert found.at_once == 4
    assert found.seconds == pytest.approx(5 + 10)
    assert found.usual_seconds == 25


def test_estimate_is_never_less_than_its_longest_resource() -> None:
    history = [timed("run-1", "a.long", 60), *(timed("run-1", f"b.x[{number}]", 1) for number in range(600))]
    found = estimate([Change("a.long", "a", "create")], history, [Past("run-1", 70, 66)])
    assert found.seconds is not None
    assert found.seconds >= 60


def test_estimate_of_a_replacement_is_both_of_its_steps() -> None:
    history = [timed("run-1", "a.x", 5, "delete"), timed("run-1", "a.x", 7, "create")]
    [found] = estimate([Change("a.x", "a", "replace")], history, [Past("run-1", 20, 12)]).resources
    assert (found.seconds, found.basis) == (12, "address")


def test_estimate_leaves_out_what_no_apply_does_and_runs_that_did_not_end_well() -> None:
    history = [timed("run-errored", "a.x", 500), timed("run-1", "a.x", 5)]
    found = estimate([Change("a.x", "a", "create"), Change("d.y", "d", "read")], history, [Past("run-1", 8, 6)])
    assert [(each.address, each.seconds) for each in found.resources] == [("a.x", 5)]
