"""A workspace's rules of the gate as they are stored: teams by id, conditions as JSON."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Invalid
from app.identity import service as identity
from app.workspaces.models import TerraformWorkspace
from app.workspaces.schemas import ApprovalConditionIn, ApprovalConditionOut, Named, Rules, WorkspaceChange


def with_teams(
    session: Session, organization_id: str, wanted: Rules | WorkspaceChange, fields: Collection[str]
) -> dict[str, Any]:
    """Return those of the rules among ``fields`` that name teams, as they are stored; teams come as ids or names.

    Raises ``Invalid`` for an unknown team, naming the field.
    """
    found: dict[str, Any] = {}
    if "approver_team_ids" in fields and wanted.approver_team_ids is not None:
        found["approver_team_ids"] = _ids(session, organization_id, wanted.approver_team_ids, "approver_team_ids")
    if "approval_conditions" in fields and wanted.approval_conditions is not None:
        found["approval_conditions"] = [
            _stored(session, organization_id, condition, f"approval_conditions.{index}.approver_team_ids")
            for index, condition in enumerate(wanted.approval_conditions)
        ]
    return found


def team_ids(row: TerraformWorkspace) -> Iterable[str]:
    """Return the ids of every team that the workspace's rules name."""
    yield from row.approver_team_ids
    for condition in row.approval_conditions:
        yield from condition["approver_team_ids"]


def present_conditions(row: TerraformWorkspace, team_names: Mapping[str, str]) -> list[ApprovalConditionOut]:
    """Present the workspace's conditions, given its teams' names by id."""
    return [
        ApprovalConditionOut(
            when=condition["when"],
            threshold=condition["threshold"],
            tag=condition["tag"],
            required_approvals=condition["required_approvals"],
            approver_teams=[Named(id=team, name=team_names.get(team, team)) for team in condition["approver_team_ids"]],
        )
        for condition in row.approval_conditions
    ]


def _stored(session: Session, organization_id: str, condition: ApprovalConditionIn, field: str) -> dict[str, Any]:
    ids = _ids(session, organization_id, condition.approver_team_ids, field)
    return {**condition.model_dump(mode="json"), "approver_team_ids": ids}


def _ids(session: Session, organization_id: str, wanted: Sequence[str], field: str) -> list[str]:
    try:
        return sorted({team.id for team in identity.teams_named(session, organization_id, wanted)})
    except Invalid as unknown:
        raise Invalid(f"{field}: {unknown.detail}", errors=[{"field": field, "message": unknown.detail}]) from unknown
