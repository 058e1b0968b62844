"""How long plans, logs and uploads are kept.

A run that has ended keeps its plan file, plan document, lock file, side files and log for
``SLUICE_RUN_ARTIFACTS_DAYS``; its row, decisions, policy checks, digests and the audit trail stay. What waits at the
gate is not final and loses nothing, however old it is; nor does the plan that a workspace's present state was made
from. What lies in the artifact store and is named by nothing (an upload whose transaction was rolled back, the plan of
a runner that lost its lease, a deleted workspace's) is removed once it is old enough that nobody can be about to name
it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from logging import getLogger
from typing import get_args

from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.core import clock, installation
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.blobs import StoredBlob
from app.core.db import after_commit, unit_of_work
from app.core.settings import get_settings
from app.identity import service as identity
from app.progress import service as progress
from app.runner.port import ArtifactKind
from app.runs import retention_repository
from app.runs.models import TerraformRun
from app.specs import service as specs

BATCH = 200
MOST_A_SWEEP = 5000
ORPHAN_AGE = timedelta(days=2)
"""Between what is put and what names it lies one phase of a run at most."""
_log = getLogger(__name__)
_OF_RUNS = frozenset(get_args(ArtifactKind))
_LOG = "log"


def cutoff() -> datetime | None:
    """Return the moment before which a run must have ended to lose its plan and log; None when all is kept."""
    days = get_settings().run_artifacts_days
    return clock.now() - timedelta(days=days) if days else None


def remove_due() -> int:
    """Remove what runs no longer keep, a transaction a run, oldest first; return of how many runs.

    Safe beside itself, and beside whatever else changes a run: one that is locked is left to the next sweep.
    """
    return _in_batches(_remove_due_batch)


def _remove_due_batch(before: datetime, after: str) -> tuple[int, str] | None:
    with unit_of_work() as session:
        due = retention_repository.due(session, before, after, BATCH)
    removed = 0
    for run_id in due:
        with unit_of_work() as session:
            removed += _remove(session, run_id, before)
    return (removed, due[-1]) if due else None


def _remove(session: Session, run_id: str, before: datetime) -> bool:
    run = retention_repository.lock_due(session, run_id, before)
    if run is None:
        return False
    for stored in run.artifacts.values():
        # After the commit: what is named is there. What is left behind by a fall in between is an orphan.
        after_commit(session, partial(artifact_store().delete, ArtifactRef.model_validate(stored)))
    progress.remove(session, run.id)
    run.artifacts_removed_at = clock.now()
    session.flush()
    return True


def remove_uploads() -> int:
    """Remove the files of uploads that are old and that neither a pushed spec nor a run needs; return how many."""
    return _in_batches(_remove_upload_batch)


def _remove_upload_batch(before: datetime, after: str) -> tuple[int, str] | None:
    removed = 0
    with unit_of_work() as session:
        old = configurations.lock_old_uploads(session, before, after, BATCH)
        needed = retention_repository.configurations_in_use(session, [found.id for found in old], before)
        for organization_id in {found.organization_id for found in old}:
            own = [found for found in old if found.organization_id == organization_id and found.id not in needed]
            pinned = specs.pinned_digests(session, organization_id, [found.digest for found in own])
            for found in own:
                if found.digest not in pinned:
                    configurations.remove(session, found)
                    removed += 1
    return (removed, old[-1].id) if old else None


def _in_batches(remove: Callable[[datetime, str], tuple[int, str] | None]) -> int:
    """Remove batch after batch, each by the cutoff and the last id of the one before; return how many in all.

    ``remove`` returns (how many it removed, the last id that it looked at), or None when there is no batch any more.
    """
    before = cutoff()
    removed, after = 0, ""
    while before is not None and removed < MOST_A_SWEEP:
        batch = remove(before, after)
        if batch is None:
            break
        removed, after = removed + batch[0], batch[1]
    return removed


def remove_orphans() -> int:
    """Remove what lies in the artifact store for longer than two days and is named by nothing; return how much.

    What it does not know, or is of an organization that this database does not have, is left alone. Where the place is
    not marked as this installation's, everything is.
    """
    store = artifact_store()
    if not installation.owns_artifacts():
        _log.warning(
            "nothing is removed from the artifact store, since its marker is not this installation's: start a worker "
            "anew, which says what to do"
        )
        return 0
    removed, before = 0, clock.now() - ORPHAN_AGE
    old = (blob for blob in store.blobs() if blob.modified_at < before)
    for batch in _batches(old):
        parsed = [(blob.key, *parts) for blob in batch if len(parts := blob.key.split("/")) == 4]
        with unit_of_work() as session:
            ours = identity.existing_organizations(session, sorted({found[1] for found in parsed}))
            parsed = [found for found in parsed if found[1] in ours]
            of_runs = [found for found in parsed if found[2] in _OF_RUNS]
            runs = retention_repository.owners(session, sorted({found[3] for found in of_runs}))
            logs = {
                key
                for key, _, kind, owner, _ in of_runs
                if kind == _LOG and progress.keeps_artifact(session, owner, key)
            }
        for key, _, kind, owner, _ in of_runs:
            if key not in logs and not _is_needed(runs.get(owner), kind, key):
                store.discard(key)
                removed += 1
        for key, organization_id, kind, owner, _ in parsed:
            if kind == "configuration":
                with unit_of_work() as session:
                    removed += configurations.discard_orphan(session, organization_id, owner, key)
    return removed


def _is_needed(run: TerraformRun | None, kind: str, key: str) -> bool:
    if run is None:
        return False
    is_settled = run.planned_at is not None or run.is_over
    if not is_settled:
        return True
    return run.artifacts_removed_at is None and run.artifacts.get(kind, {}).get("key") == key


def _batches(blobs: Iterable[StoredBlob]) -> Iterator[list[StoredBlob]]:
    remaining = iter(blobs)
    while batch := list(islice(remaining, BATCH)):
        yield batch
