"""What policies see of a run: of one that is checked now, and of a past plan as it was then."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.core.artifacts import ArtifactRef, artifact_store
from app.policy import service as policy
from app.policy.schemas import PolicyDocument
from app.runs import kept_plans, repository
from app.runs.models import TerraformRun
from app.specs import service as specs
from app.state import service as state
from app.state.schemas import CurrentState
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut


class PastPlan(BaseModel):
    """A plan that was made, for who judges it again. ``verdict`` is what the policies of then said.

    ``is_kept``: retention has left its document.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    workspace_id: str
    kind: str
    planned_at: datetime
    verdict: str | None
    is_kept: bool


@dataclass(frozen=True)
class PlanInput:
    """Everything that a past plan's input document is made from, as values: reading it needs no session."""

    plan_json: ArtifactRef
    context: Mapping[str, Any]

    def document(self) -> PolicyDocument:
        """Read the stored plan and return the document, sensitive values replaced.

        Raises ``NotFound`` when the artifact store has it no more, ``IntegrityError`` when it was altered.
        """
        return policy.build_input(json.loads(artifact_store().get(self.plan_json)), **self.context)


def context_of(
    session: Session, run: TerraformRun, workspace: WorkspaceOut, before: CurrentState | None, time: datetime
) -> dict[str, Any]:
    """Return what stands beside the plan in the policies' input; ``before`` is the state that it was made from."""
    spec = specs.version(session, run.organization_id, run.spec_version_id)
    return {
        "run": {
            "id": run.id,
            "kind": run.kind,
            "message": run.message,
            "source": run.source,
            "is_speculative": run.is_speculative,
        },
        "spec": {"hash": spec.hash, "number": spec.number, "document": spec.document},
        "workspace": {"id": workspace.id, "name": workspace.name, "tags": workspace.tags},
        "actor": run.requested_by,
        "state_summary": {
            "serial": before.serial if before is not None else 0,
            "resource_count": before.resource_count if before is not None else 0,
        },
        "time": time,
        "sensitive_variables": {
            *spec.document.get("secret_mappings", {}),
            *(pin["input"] for pin in run.upstream_outputs or [] if pin["sensitive"]),
            *workspaces.sensitive_inputs(session, run.workspace_id, run.variable_version_ids),
        },
    }


def past_plans(
    session: Session, organization_id: str, workspace_ids: Sequence[str] | None, last: int
) -> list[PastPlan]:
    """Return the organization's last plans of these workspaces (None: of all), newest first, speculative ones too."""
    return [
        PastPlan(
            run_id=run.id,
            workspace_id=run.workspace_id,
            kind=run.kind,
            planned_at=run.planned_at or run.created_at,
            verdict=run.verdict,
            is_kept=run.artifacts_removed_at is None,
        )
        for run in repository.newest_planned(session, organization_id, workspace_ids, last)
    ]


def past_input(session: Session, organization_id: str, run_id: str) -> PlanInput:
    """Return what a plan's input was when it was checked, of an apply its plan's.

    Run, spec version, requester, state and the moment are those of then; the workspace's name and tags are those of
    now, since nothing keeps what they were. What is sensitive now is hidden, too. Raises ``RunNotFound``, also while
    there is no plan, and ``PlanRemoved`` when the run is too old.
    """
    run = kept_plans.run_with(session, organization_id, run_id, "plan_json")
    before = None
    if run.state_lineage is not None:
        before = state.of_serial(session, run.workspace_id, run.state_lineage, run.state_serial or 0)
    workspace = workspaces.get(session, organization_id, run.workspace_id)
    time = run.planned_at or run.created_at
    return PlanInput(
        plan_json=ArtifactRef.model_validate(run.artifacts["plan_json"]),
        context=context_of(session, run, workspace, before, time),
    )
