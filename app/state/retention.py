"""How long the content of old state versions is kept."""

from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import after_commit
from app.core.permissions import Actor, system_actor
from app.state import repository, retention_repository
from app.state.models import TerraformStateRetention, TerraformStateVersion
from app.state.schemas import Retention
from app.state.vault import Vault
from app.workspaces import service as workspaces


def retention(session: Session, actor: Actor, workspace: str) -> Retention:
    """Return how long the workspace keeps its states."""
    found = workspaces.get(session, actor.organization_id, workspace)
    row = retention_repository.get(session, found.id)
    return Retention.model_validate(row) if row is not None else Retention(keep_versions=None, keep_days=None)


def set_retention(session: Session, actor: Actor, workspace: str, wanted: Retention) -> Retention:
    """Set how long the workspace keeps its states; the next sweep acts by it."""
    found = workspaces.get(session, actor.organization_id, workspace)
    workspaces.lock_exclusive(session, found.id)
    row = retention_repository.get(session, found.id)
    if row is None:
        row = TerraformStateRetention(workspace_id=found.id, organization_id=actor.organization_id)
        session.add(row)
    row.keep_versions, row.keep_days = wanted.keep_versions, wanted.keep_days
    session.flush()
    audit.record(session, actor, "state.retention_set", ("workspace", found.id), wanted.model_dump())
    return wanted


def due(session: Session) -> list[str]:
    """Return the workspaces that let go of anything at all."""
    return list(retention_repository.limited(session))


def prune(session: Session, workspace_id: str) -> int:
    """Let go of the content that the workspace's retention no longer keeps, and of pieces that nothing needs.

    Returns how many versions lost their content. Safe beside writers and beside itself: it waits for them.
    """
    row = retention_repository.get(session, workspace_id)
    if row is None or (row.keep_versions is None and row.keep_days is None):
        return 0
    repository.serialize_writers(session, workspace_id)
    oldest_kept = clock.now() - timedelta(days=row.keep_days) if row.keep_days is not None else None
    # The first is the current one, which is kept by any limit.
    least_kept = max(1, row.keep_versions or 1)
    versions = retention_repository.beyond(session, workspace_id, least_kept, oldest_kept)
    for version in versions:
        _let_go(session, version)
    session.flush()
    if versions:
        Vault(row.organization_id, workspace_id).collect(session)
        evidence = {"versions": [version.id for version in versions]}
        audit.record(session, system_actor(row.organization_id), "state.pruned", ("workspace", workspace_id), evidence)
    return len(versions)


def _let_go(session: Session, version: TerraformStateVersion) -> None:
    for stored in (version.artifact, version.outputs_artifact):
        if stored is not None:
            after_commit(session, partial(artifact_store().delete, ArtifactRef.model_validate(stored)))
    version.manifest = version.artifact = version.outputs_artifact = version.resources = None
    version.pruned_at = clock.now()
