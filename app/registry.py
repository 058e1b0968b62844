"""The one list of every slice's models, routers, tasks and event subscribers."""

from app.approvals import models as approvals_models
from app.audit import models as audit_models
from app.configurations import models as configurations_models
from app.core import idempotency
from app.experiments import models as experiments_models
from app.fence import models as fence_models
from app.halt import models as halt_models
from app.identity import models as identity_models
from app.policy import models as policy_models
from app.progress import models as progress_models
from app.runs import models as runs_models
from app.specs import models as specs_models
from app.state import models as state_models
from app.workspaces import models as workspaces_models

MODELS = (
    approvals_models,
    audit_models,
    configurations_models,
    experiments_models,
    fence_models,
    halt_models,
    idempotency,
    identity_models,
    policy_models,
    progress_models,
    runs_models,
    specs_models,
    state_models,
    workspaces_models,
)
