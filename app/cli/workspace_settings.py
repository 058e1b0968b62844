"""Options for a workspace's settings, as `workspace create` and `workspace set` take them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.backend_options import Backend, Settings, backend_fields
from app.cli.gate_options import (
    Approvals,
    AutoApply,
    AutoDestroy,
    MaxAge,
    MoreApprovals,
    Requester,
    Teams,
    Validity,
    gate_fields,
)
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient

Description = Annotated[str | None, typer.Option("--description", help="What it is for.", show_default=False)]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="A tag; may be repeated. All tags are replaced.", show_default=False)
]
Engine = Annotated[
    Literal["tofu", "terraform", "any"] | None, typer.Option("--engine", help="Engine to use.", show_default=False)
]
EngineVersion = Annotated[
    str | None,
    typer.Option(
        "--engine-version", help="Version of it: 1.12.6, or a constraint like '~> 1.12'; any.", show_default=False
    ),
]


@dataclass(frozen=True)
class WorkspaceSettings:
    """The settings that were given; None is what was not."""

    description: Description = None
    tags: Tags = None
    required_approvals: Approvals = None
    approver_teams: Teams = None
    requester_may_approve: Requester = None
    approval_validity: Validity = None
    more_approvals: MoreApprovals = None
    auto_apply: AutoApply = None
    auto_apply_destroys: AutoDestroy = None
    plan_max_age: MaxAge = None
    engine: Engine = None
    engine_version: EngineVersion = None
    state_backend: Backend = None
    setting: Settings = None

    def fields(self, client: "SluiceClient") -> dict[str, Any]:
        """Return the API's fields for them. Raises ``LocalProblem`` for what can't be read, and an unknown team."""
        given: dict[str, Any] = {
            "description": self.description,
            "tags": self.tags,
            "required_approvals": self.required_approvals,
            "requester_may_approve": self.requester_may_approve,
            "auto_apply": self.auto_apply,
            "auto_apply_allows_destroy": self.auto_apply_destroys,
        }
        found = {name: value for name, value in given.items() if value is not None}
        if self.approver_teams is not None:
            found["approver_team_ids"] = _team_ids(client, self.approver_teams)
        for name, chosen in (("engine_kind", self.engine), ("engine_version", self.engine_version)):
            if chosen is not None:
                found[name] = None if chosen == "any" else chosen
        gate = gate_fields(
            validity=self.approval_validity,
            max_age=self.plan_max_age,
            more=self.more_approvals,
            team_ids=lambda names: _team_ids(client, names),
        )
        return found | gate | backend_fields(self.state_backend, self.setting)


def _team_ids(client: "SluiceClient", wanted: list[str]) -> list[str]:
    from app.client import calls

    known = list(client.items(lambda cursor: calls.listing("/teams", cursor=cursor)))
    by_name = {team["name"]: team["id"] for team in known} | {team["id"]: team["id"] for team in known}
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise LocalProblem(f"There is no team {', '.join(missing)}. `sluice team list` shows them.", "team_not_found")
    return [by_name[name] for name in wanted]
