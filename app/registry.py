"""The one list of every slice's models, sealed columns and event subscribers; the routers are in ``routers``."""

from app.approvals import models as approvals_models
from app.audit import models as audit_models
from app.configurations import models as configurations_models
from app.core import idempotency, installation
from app.core.events import subscribe
from app.experiments import models as experiments_models
from app.fence import models as fence_models
from app.halt import models as halt_models
from app.identity import models as identity_models
from app.identity.schemas import RightsChanged
from app.notifications import models as notifications_models
from app.notifications import sealed as notifications_sealed
from app.policy import models as policy_models
from app.policy.schemas import PoliciesMoved
from app.progress import models as progress_models
from app.progress import sealed as progress_sealed
from app.recovery import models as recovery_models
from app.recovery import sealed as recovery_sealed
from app.recovery import subscribers as recovery
from app.rehearsal import models as rehearsal_models
from app.runs import models as runs_models
from app.runs import subscribers as runs
from app.runs.events import ApplyQuiesced, ApplyStepsCame
from app.specs import models as specs_models
from app.specs import service as specs
from app.specs.events import HeadMoved
from app.state import backend_models as state_backend_models
from app.state import models as state_models
from app.state import sealed as state_sealed
from app.state.events import OutputSharingChanged, QuarantineMoved, StateMoved
from app.state.schemas import StateLocking, StateLockReleased
from app.workspaces import models as workspaces_models
from app.workspaces import sealed as workspaces_sealed
from app.workspaces import service as workspaces
from app.workspaces.schemas import (
    ApprovalRulesChanged,
    EnginePinChanged,
    StateBackendChanging,
    TagsChanged,
    VariablesMoved,
    WorkspaceDeleting,
    WorkspaceHeadMoved,
)

MODELS = (
    approvals_models,
    audit_models,
    configurations_models,
    experiments_models,
    fence_models,
    halt_models,
    idempotency,
    identity_models,
    installation,
    notifications_models,
    policy_models,
    progress_models,
    recovery_models,
    rehearsal_models,
    runs_models,
    specs_models,
    state_backend_models,
    state_models,
    workspaces_models,
)

SEALED = (
    *workspaces_sealed.SEALED,
    *state_sealed.SEALED,
    *progress_sealed.SEALED,
    *recovery_sealed.SEALED,
    *notifications_sealed.SEALED,
)
"""Every column that holds envelopes; the artifact store holds the others."""


def connect() -> None:
    """Connect every slice's subscribers. Called once by each composition root; again changes nothing."""
    specs.set_workspace_counter(workspaces.counts_by_stack)
    subscribe(HeadMoved, runs.on_head_moved)
    subscribe(VariablesMoved, runs.on_workspace_moved)
    subscribe(WorkspaceHeadMoved, runs.on_workspace_moved)
    subscribe(EnginePinChanged, runs.on_workspace_moved)
    subscribe(ApprovalRulesChanged, runs.on_approval_rules_changed)
    subscribe(TagsChanged, runs.on_tags_changed)
    subscribe(StateBackendChanging, runs.on_state_backend_changing)
    subscribe(WorkspaceDeleting, runs.on_workspace_deleting)
    subscribe(PoliciesMoved, runs.on_policies_moved)
    subscribe(RightsChanged, runs.on_rights_changed)
    subscribe(StateMoved, runs.on_state_moved)
    subscribe(OutputSharingChanged, runs.on_state_moved)
    subscribe(StateLocking, runs.on_state_locking)
    subscribe(StateLockReleased, runs.on_lock_released)
    subscribe(ApplyQuiesced, recovery.on_apply_quiesced)
    subscribe(ApplyStepsCame, recovery.on_apply_steps_came)
    subscribe(QuarantineMoved, recovery.on_quarantine_moved)
