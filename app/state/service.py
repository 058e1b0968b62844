"""State versions, outputs, locks and retention: what other slices and the edges may do with them."""

from app.state.credentials import issue_run_credential, revoke_run_credentials, settle_snapshots
from app.state.hcp_importing import import_from_hcp
from app.state.importing import import_state
from app.state.listing import changes, diff, diff_quarantined, facets, resources
from app.state.locks import (
    beat,
    force_unlock,
    held_lock,
    held_locks,
    lock,
    lock_manually,
    lock_of,
    mark_orphaned,
    orphaned_locks,
    release_orphaned,
    unlock,
    unlock_own,
)
from app.state.quarantine import (
    adopt,
    discard,
    download_quarantined,
    quarantine,
    quarantined,
    quarantined_state,
)
from app.state.retention import due as retention_due
from app.state.retention import prune, retention, set_retention
from app.state.rollback import rollback_target, rolled_back
from app.state.versions import (
    ARTIFACT_KIND,
    by_id,
    content,
    current,
    current_outputs,
    currents,
    download,
    outputs,
    reveal_output,
    store_version,
    version,
    versions,
)

__all__ = [
    "ARTIFACT_KIND",
    "adopt",
    "beat",
    "by_id",
    "changes",
    "content",
    "current",
    "current_outputs",
    "currents",
    "diff",
    "diff_quarantined",
    "discard",
    "download",
    "download_quarantined",
    "facets",
    "force_unlock",
    "held_lock",
    "held_locks",
    "import_from_hcp",
    "import_state",
    "issue_run_credential",
    "lock",
    "lock_manually",
    "lock_of",
    "mark_orphaned",
    "orphaned_locks",
    "outputs",
    "prune",
    "quarantine",
    "quarantined",
    "quarantined_state",
    "release_orphaned",
    "resources",
    "retention",
    "retention_due",
    "reveal_output",
    "revoke_run_credentials",
    "rollback_target",
    "rolled_back",
    "set_retention",
    "settle_snapshots",
    "store_version",
    "unlock",
    "unlock_own",
    "version",
    "versions",
]
