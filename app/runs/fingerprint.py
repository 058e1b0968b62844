"""The plan fingerprint: what an approval signs, and what makes it stale.

SHA-256 over named parts. ``inputs_of`` says what a workspace's inputs are now; comparing them with what a run pinned
says what moved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.core.canonical import digest
from app.policy import service as policy
from app.policy.schemas import PinnedAttachment, PolicyCheckOut
from app.runner import engines
from app.runner.port import EngineInfo, EngineRequest
from app.runs.errors import BackendMoved, EngineMoved, OutputsMoved, SpecMoved, StateMoved, VariablesMoved
from app.runs.models import TerraformRun
from app.specs import service as specs
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

NO_BUNDLES = digest([])
"""The policy bundles of a workspace that nothing judges."""

LABELS = {
    "spec": "Spec",
    "configuration": "Configuration",
    "variables": "Variables",
    "outputs": "Outputs of other workspaces",
    "plan_file": "Plan file",
    "plan_json": "Plan document",
    "lock_file": "Provider lock",
    "state": "State",
    "backend": "State backend",
    "target": "Target",
    "policy_bundles": "Policy bundles",
    "policy_results": "Policy results",
}


@dataclass(frozen=True)
class Inputs:
    """What a workspace would be planned from now."""

    head_version_id: str | None
    variable_version_ids: list[str]
    state_lineage: str | None
    state_serial: int
    backend_digest: str
    policy_bundles: str
    moved_outputs: Callable[[Sequence[dict[str, Any]]], list[str]]
    """Says of pinned outputs of other workspaces, in words, which are no longer what they were."""
    moved_engine: Callable[[TerraformRun], list[str]]
    """Says, in words, that spec and workspace don't allow the engine that planned any more."""


def inputs_of(session: Session, workspace: WorkspaceOut) -> Inputs:
    """Return the present inputs of the workspace."""
    newest = state.current(session, workspace.id)
    return Inputs(
        head_version_id=workspace.head.id if workspace.head is not None else None,
        variable_version_ids=workspaces.variable_version_ids(session, workspace.id),
        state_lineage=newest.lineage if newest is not None else None,
        state_serial=newest.serial if newest is not None else 0,
        backend_digest=backend_digest(workspace),
        policy_bundles=bundles_digest(session, workspace.organization_id, workspace.id, workspace.tags),
        moved_outputs=partial(state.moved_outputs, session, workspace.organization_id, workspace.id),
        moved_engine=partial(_moved_engine, session, workspace),
    )


def _moved_engine(session: Session, workspace: WorkspaceOut, run: TerraformRun) -> list[str]:
    if run.engine is None or (workspace.engine_kind is None and workspace.engine_version is None):
        return []
    spec = specs.version(session, run.organization_id, run.spec_version_id).spec()
    request = EngineRequest.model_validate(spec.engine_request(workspace.engine_kind, workspace.engine_version))
    planned = EngineInfo.model_validate(run.engine)
    if engines.is_allowed(request, planned):
        return []
    return [f"the workspace's engine pin no longer allows {planned.kind} {planned.version}"]


def backend_digest(workspace: WorkspaceOut) -> str:
    """Return one digest over where the workspace's state is kept: a saved plan names its backend."""
    return digest([workspace.state_backend, workspace.state_backend_settings])


def is_judged(session: Session, workspace: WorkspaceOut) -> bool:
    """Whether any policy judges the workspace's plans now."""
    return bundles_digest(session, workspace.organization_id, workspace.id, workspace.tags) != NO_BUNDLES


def bundles_digest(session: Session, organization_id: str, workspace_id: str, tags: list[str]) -> str:
    """Return one digest over the policy bundles that judge a workspace, and their levels."""
    found = policy.digests_for(session, organization_id=organization_id, workspace_id=workspace_id, tags=tags)
    return digest(sorted(map(list, found)))


def bundles_digest_of(pinned: list[PinnedAttachment]) -> str:
    """Return one digest over attachments: their bundles and levels."""
    return digest(sorted([item.id, item.bundle_digest, item.enforcement_level] for item in pinned))


def checked_bundles_digest(checks: list[PolicyCheckOut]) -> str:
    """Return the same digest over what was evaluated, so that the two differ when attachments moved meanwhile."""
    return digest(sorted([check.attachment_id, check.bundle_digest, check.enforcement_level] for check in checks))


def parts_of(run: TerraformRun, *, policy_bundles: str, policy_results: str) -> dict[str, str]:
    """Return the parts of a settled plan, by name."""
    parts = {
        "spec": run.spec_version_id,
        "configuration": run.configuration_digest,
        "variables": digest(run.variable_version_ids),
        **_of_artifacts(run),
        "state": digest([run.state_lineage, run.state_serial]),
        "backend": run.backend_digest or "",
        "policy_bundles": policy_bundles,
        "policy_results": policy_results,
    }
    if run.upstream_outputs:
        # Versions, not values: a digest of a short secret can be guessed.
        parts["outputs"] = digest(run.upstream_outputs)
    return parts if run.target is None else {**parts, "target": digest(run.target)}


def fingerprint(parts: dict[str, str]) -> str:
    """Return the fingerprint of the parts."""
    return digest(parts)


def is_intact(run: TerraformRun) -> bool:
    """Whether a run's fingerprint is that of its parts, and its plan and lock file are those that it names."""
    parts = run.fingerprint_parts or {}
    named = _of_artifacts(run)
    return run.fingerprint == fingerprint(parts) and named == {name: parts.get(name) for name in named}


def _of_artifacts(run: TerraformRun) -> dict[str, str]:
    found = {name: run.artifacts.get(name) for name in ("plan_file", "plan_json", "lock_file")}
    return {name: str(reference["digest"]) if reference else "" for name, reference in found.items()}


def moves(run: TerraformRun, now: Inputs) -> list[tuple[str, str]]:
    """Return (code, words) of every input that moved since the run pinned it; empty when the plan is current."""
    moved: list[tuple[str, str]] = []
    if run.follows_head and now.head_version_id != run.spec_version_id:
        moved.append((SpecMoved.code, "the workspace's spec head moved"))
    if now.variable_version_ids != run.variable_version_ids:
        moved.append((VariablesMoved.code, "a variable changed"))
    if (now.state_lineage, now.state_serial) != (run.state_lineage, run.state_serial or 0):
        moved.append((StateMoved.code, f"the state moved from serial {run.state_serial or 0} to {now.state_serial}"))
    if run.backend_digest is not None and now.backend_digest != run.backend_digest:
        moved.append((BackendMoved.code, "the workspace's state backend changed"))
    moved += [(EngineMoved.code, words) for words in now.moved_engine(run)]
    return moved + [(OutputsMoved.code, words) for words in now.moved_outputs(run.upstream_outputs or [])]


def moved_parts(run: TerraformRun, now: Inputs) -> set[str]:
    """Return the names of the fingerprint's parts that are no longer what they were."""
    moved: set[str] = set()
    if run.follows_head and now.head_version_id != run.spec_version_id:
        moved.add("spec")
    if now.variable_version_ids != run.variable_version_ids:
        moved.add("variables")
    if (now.state_lineage, now.state_serial) != (run.state_lineage, run.state_serial or 0):
        moved.add("state")
    if run.backend_digest is not None and now.backend_digest != run.backend_digest:
        moved.add("backend")
    if now.moved_outputs(run.upstream_outputs or []):
        moved.add("outputs")
    if run.fingerprint_parts and now.policy_bundles != run.fingerprint_parts.get("policy_bundles"):
        moved.add("policy_bundles")
    return moved
