"""The one list of every slice's models, routers, tasks and event subscribers."""

from app.approvals import models as approvals_models
from app.audit import endpoints as audit_endpoints
from app.audit import models as audit_models
from app.configurations import endpoints as configurations_endpoints
from app.configurations import models as configurations_models
from app.core import idempotency, installation
from app.core.events import subscribe
from app.experiments import endpoints as experiments_endpoints
from app.experiments import models as experiments_models
from app.fence import models as fence_models
from app.halt import drill_endpoints as halt_drill_endpoints
from app.halt import endpoints as halt_endpoints
from app.halt import models as halt_models
from app.halt import watching as halt_watching
from app.identity import auth_endpoints
from app.identity import endpoints as identity_endpoints
from app.identity import models as identity_models
from app.identity.schemas import RightsChanged
from app.inbox import endpoints as inbox_endpoints
from app.notifications import endpoints as notifications_endpoints
from app.notifications import models as notifications_models
from app.notifications import sealed as notifications_sealed
from app.overview import endpoints as overview_endpoints
from app.policy import endpoints as policy_endpoints
from app.policy import models as policy_models
from app.policy.schemas import PoliciesMoved
from app.progress import endpoints as progress_endpoints
from app.progress import models as progress_models
from app.progress import sealed as progress_sealed
from app.recovery import endpoints as recovery_endpoints
from app.recovery import models as recovery_models
from app.recovery import resource_endpoints as recovery_resource_endpoints
from app.recovery import sealed as recovery_sealed
from app.recovery import subscribers as recovery
from app.rehearsal import endpoints as rehearsal_endpoints
from app.rehearsal import models as rehearsal_models
from app.runs import endpoints as runs_endpoints
from app.runs import models as runs_models
from app.runs import queue_endpoints
from app.runs import subscribers as runs
from app.runs.events import ApplyQuiesced, ApplyStepsCame
from app.specs import endpoints as specs_endpoints
from app.specs import models as specs_models
from app.specs import service as specs
from app.specs.events import HeadMoved
from app.state import backend_endpoints as state_backend_endpoints
from app.state import backend_models as state_backend_models
from app.state import endpoints as state_endpoints
from app.state import import_endpoints as state_import_endpoints
from app.state import models as state_models
from app.state import sealed as state_sealed
from app.state import upstream_endpoints as state_upstream_endpoints
from app.state.events import OutputSharingChanged, QuarantineMoved, StateMoved
from app.state.schemas import StateLocking, StateLockReleased
from app.workspaces import endpoints as workspaces_endpoints
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

ROUTERS = (
    auth_endpoints.router,
    identity_endpoints.router,
    audit_endpoints.router,
    configurations_endpoints.router,
    specs_endpoints.router,
    experiments_endpoints.router,
    overview_endpoints.router,
    workspaces_endpoints.router,
    inbox_endpoints.router,
    runs_endpoints.router,
    queue_endpoints.router,
    progress_endpoints.router,
    policy_endpoints.router,
    rehearsal_endpoints.router,
    state_endpoints.router,
    state_import_endpoints.router,
    state_upstream_endpoints.router,
    recovery_endpoints.router,
    recovery_resource_endpoints.router,
    state_backend_endpoints.router,
    halt_drill_endpoints.router,
    halt_endpoints.router,
    halt_watching.router,
    notifications_endpoints.router,
)
"""Every slice's router, in the order of the API's document."""


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
    subscribe(VariablesMoved, runs.on_variables_moved)
    subscribe(WorkspaceHeadMoved, runs.on_workspace_head_moved)
    subscribe(EnginePinChanged, runs.on_engine_pin_changed)
    subscribe(ApprovalRulesChanged, runs.on_approval_rules_changed)
    subscribe(TagsChanged, runs.on_tags_changed)
    subscribe(StateBackendChanging, runs.on_state_backend_changing)
    subscribe(WorkspaceDeleting, runs.on_workspace_deleting)
    subscribe(PoliciesMoved, runs.on_policies_moved)
    subscribe(RightsChanged, runs.on_rights_changed)
    subscribe(StateMoved, runs.on_state_moved)
    subscribe(OutputSharingChanged, runs.on_output_sharing_changed)
    subscribe(StateLocking, runs.on_state_locking)
    subscribe(StateLockReleased, runs.on_lock_released)
    subscribe(ApplyQuiesced, recovery.on_apply_quiesced)
    subscribe(ApplyStepsCame, recovery.on_apply_steps_came)
    subscribe(QuarantineMoved, recovery.on_quarantine_moved)
