"""What an apply said, put together to one step for each resource and action."""

from datetime import UTC, datetime

import pytest

from app.runner.folding import LONGEST_ID, Told, fold

EARLY, LATE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def said(kind: str, action: str = "create", id_value: str = "", *, at: datetime | None = EARLY) -> Told:
    return Told(kind, "aws_x.y", action, "aws_x", "id" if id_value else "", id_value, at)


def test_fold_a_creation_that_is_done_has_its_id_and_when_it_began() -> None:
    [step] = fold([said("apply_start"), said("apply_complete", id_value="i-1", at=LATE)])
    assert (step.outcome, step.id_key, step.id_value, step.started_at) == ("complete", "id", "i-1", EARLY)


def test_fold_a_deletion_keeps_the_id_that_it_began_with() -> None:
    [step] = fold([said("apply_start", "delete", "i-1"), said("apply_errored", "delete", at=LATE)])
    assert (step.outcome, step.id_key, step.id_value, step.started_at) == ("errored", "id", "i-1", EARLY)


def test_fold_a_repeated_start_keeps_the_first_time() -> None:
    [step] = fold([said("apply_start"), said("apply_start", at=LATE)])
    assert (step.outcome, step.started_at) == ("started", EARLY)


def test_fold_a_start_without_a_time_takes_the_next_one() -> None:
    [step] = fold([said("apply_start", at=None), said("apply_complete", at=LATE)])
    assert step.started_at == LATE


def test_fold_a_replacement_is_two_steps() -> None:
    steps = fold([said("apply_start", "delete"), said("apply_complete", "delete"), said("apply_start")])
    assert [(step.action, step.outcome) for step in steps] == [("delete", "complete"), ("create", "started")]


def test_fold_a_longer_id_is_cut() -> None:
    [step] = fold([said("apply_complete", id_value="x" * (LONGEST_ID + 1))])
    assert len(step.id_value) == LONGEST_ID


@pytest.mark.parametrize("told", [said("refresh_start"), said("apply_progress"), said("apply_start", "read")])
def test_fold_what_is_no_step_of_an_apply_is_left_out(told: Told) -> None:
    assert fold([told]) == ()
