"""Durations and conditions of approval, as people write them on the command line."""

import pytest

from app.cli.durations import seconds_of, seconds_or_none, spelled
from app.cli.gate_options import describe_condition, gate_fields
from app.client.errors import LocalProblem
from app.client.models import Workspace

TEAMS = {"security": "team-1", "platform": "team-2"}


def conditions(*texts: str) -> list[dict[str, object]]:
    fields = gate_fields(
        validity=None, max_age=None, more=list(texts), team_ids=lambda names: [TEAMS[name] for name in names]
    )
    found: list[dict[str, object]] = fields["approval_conditions"]
    return found


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("30m", 1800), ("8h", 28800), ("2d", 172800), ("8w", 8 * 604800)]
)
def test_duration_is_read(text: str, seconds: int) -> None:
    assert seconds_of(text, "--expires") == seconds


@pytest.mark.parametrize("text", ["", "8", "8 h", "h", "-8h", "0h", "1.5h", "8H", "8hours"])
def test_duration_that_is_none_names_its_option(text: str) -> None:
    with pytest.raises(LocalProblem, match="--expires: .* is not a duration"):
        seconds_of(text, "--expires")


def test_duration_may_be_seconds_or_none_at_all_where_it_may_be_for_ever() -> None:
    assert [seconds_or_none(text, "--x") for text in ("0", "3600", "8h")] == [None, 3600, 28800]


@pytest.mark.parametrize("text", ["30s", "90s", "90m", "8h", "36h", "2d", "14d"])
def test_spelled_duration_is_read_as_the_same(text: str) -> None:
    assert spelled(seconds_of(text, "--x")) == text


def test_conditions_are_read() -> None:
    assert conditions("deletes=2", "changes>20=3", "tag:env=prod=2", "tag:protected=4@security,platform") == [
        {"when": "deletes", "required_approvals": 2},
        {"when": "changes_over", "threshold": 20, "required_approvals": 3},
        {"when": "tag", "tag": "env=prod", "required_approvals": 2},
        {"when": "tag", "tag": "protected", "required_approvals": 4, "approver_team_ids": ["team-1", "team-2"]},
    ]


@pytest.mark.parametrize("text", ["deletes", "deletes=", "deletes=two", "changes=3", "changes>x=3", "tag:=2", "prod=2"])
def test_condition_that_can_not_be_read_says_how_it_is_written(text: str) -> None:
    with pytest.raises(LocalProblem, match="Write deletes=2"):
        conditions(text)


def test_shown_condition_can_be_given_again() -> None:
    for text in ("deletes=2", "changes>20=3", "tag:env=prod=2", "tag:a b/c:d=1@security"):
        read = conditions(text)[0]
        teams = [{"id": id_, "name": name} for name, id_ in TEAMS.items() if id_ in read.get("approver_team_ids", [])]  # type: ignore[operator]
        assert describe_condition({**read, "approver_teams": teams}) == text


def test_typed_client_reads_the_rules_of_a_workspace() -> None:
    read = Workspace.read(
        {
            "id": "ws-1",
            "name": "prod",
            "stack": {"id": "st-1", "name": "net"},
            "approval_validity_seconds": 60,
            "approval_conditions": [{"when": "deletes", "required_approvals": 2, "approver_teams": []}],
        }
    )
    assert read.approval_validity_seconds == 60
    assert read.approval_conditions[0].required_approvals == 2
