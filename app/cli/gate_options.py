"""Options for a workspace's rules of the gate, and what they say."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.cli.durations import seconds_or_none, spelled
from app.client.errors import LocalProblem

Approvals = Annotated[
    int | None,
    typer.Option("--required-approvals", min=1, max=20, help="How many people must approve.", show_default=False),
]
Teams = Annotated[
    list[str] | None,
    typer.Option(
        "--approver-team", help="Team (name or id) whose members may approve; may be repeated.", show_default=False
    ),
]
Requester = Annotated[
    bool | None,
    typer.Option(
        "--requester-may-approve/--requester-may-not-approve",
        help="Whether one's own plan may be approved; switches four-eyes off.",
        show_default=False,
    ),
]
Validity = Annotated[
    str | None,
    typer.Option(
        "--approval-validity", help="How long an approval counts: 30m, 8h, 2d; 0: for ever.", show_default=False
    ),
]
MoreApprovals = Annotated[
    list[str] | None,
    typer.Option(
        "--more-approvals",
        metavar="WHEN=N[@TEAM,…]",
        help="When a plan needs more: deletes=2, 'changes>20=3', tag:env=prod=2, deletes=1@security. May be repeated; "
        "all of them are replaced.",
        show_default=False,
    ),
]
NoMoreApprovals = Annotated[bool, typer.Option("--no-more-approvals", help="Take all of --more-approvals away.")]
AutoApply = Annotated[
    bool | None,
    typer.Option("--auto-apply/--no-auto-apply", help="Apply without a person when policies pass.", show_default=False),
]
AutoDestroy = Annotated[
    bool | None,
    typer.Option(
        "--auto-apply-destroys/--no-auto-apply-destroys",
        help="Let auto-apply also destroy and replace.",
        show_default=False,
    ),
]
MaxAge = Annotated[
    str | None,
    typer.Option(
        "--plan-max-age", help="How long a plan may wait: 30m, 8h, 2d, or seconds; 0: for ever.", show_default=False
    ),
]
_CONDITION = re.compile(
    r"(?:(?P<deletes>deletes)|changes>(?P<threshold>\d+)|tag:(?P<tag>.+))=(?P<need>\d+)(?:@(?P<teams>[^@]+))?"
)


def gate_fields(
    *,
    validity: str | None,
    max_age: str | None,
    more: list[str] | None,
    team_ids: Callable[[list[str]], list[str]],
) -> dict[str, Any]:
    """Return the API's settings for the options of the gate that were given; ``team_ids`` finds teams by name.

    Raises ``LocalProblem`` for a duration or a condition that can't be read.
    """
    fields: dict[str, Any] = {}
    if validity is not None:
        fields["approval_validity_seconds"] = seconds_or_none(validity, "--approval-validity")
    if max_age is not None:
        fields["plan_max_age_seconds"] = seconds_or_none(max_age, "--plan-max-age")
    if more is not None:
        fields["approval_conditions"] = [_condition(text, team_ids) for text in more]
    return fields


def _condition(text: str, team_ids: Callable[[list[str]], list[str]]) -> dict[str, Any]:
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise LocalProblem(
            f"--more-approvals: {text!r} can't be read. Write deletes=2, 'changes>20=3', tag:env=prod=2 or "
            "tag:protected=2, with @TEAM behind it where a team must approve.",
            "usage",
        )
    condition: dict[str, Any] = {"required_approvals": int(found["need"])}
    if found["deletes"]:
        condition |= {"when": "deletes"}
    elif found["threshold"] is not None:
        condition |= {"when": "changes_over", "threshold": int(found["threshold"])}
    else:
        condition |= {"when": "tag", "tag": found["tag"]}
    if found["teams"]:
        condition["approver_team_ids"] = team_ids([name.strip() for name in found["teams"].split(",")])
    return condition


def describe_condition(condition: dict[str, Any]) -> str:
    """Return a condition as ``--more-approvals`` takes it."""
    when = {
        "deletes": "deletes",
        "changes_over": f"changes>{condition.get('threshold')}",
        "tag": f"tag:{condition.get('tag')}",
    }.get(str(condition.get("when")), str(condition.get("when")))
    teams = ",".join(team["name"] for team in condition.get("approver_teams", []))
    return f"{when}={condition.get('required_approvals')}{f'@{teams}' if teams else ''}"


def describe_gate(workspace: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the names and values of a workspace's rules of the gate, to be shown."""
    validity, age = workspace.get("approval_validity_seconds"), workspace.get("plan_max_age_seconds")
    teams = [team["name"] for team in workspace.get("approver_teams", [])]
    return [
        ("required approvals", workspace.get("required_approvals")),
        ("more approvals", [describe_condition(item) for item in workspace.get("approval_conditions", [])] or "never"),
        ("approver teams", teams or "everyone with the right"),
        ("requester may approve", workspace.get("requester_may_approve")),
        ("an approval counts", spelled(validity) if validity else "for ever"),
        ("auto-apply", workspace.get("auto_apply")),
        ("auto-apply destroys", workspace.get("auto_apply_allows_destroy")),
        ("a plan may wait", spelled(age) if age else "for ever"),
    ]
