"""The one list of every slice's models, routers, tasks and event subscribers."""

from app.approvals import models as approvals_models
from app.audit import endpoints as audit_endpoints
from app.audit import models as audit_models
from app.configurations import endpoints as configurations_endpoints
from app.configurations import models as configurations_models
from app.core import idempotency
from app.experiments import endpoints as experiments_endpoints
from app.experiments import models as experiments_models
from app.fence import models as fence_models
from app.halt import models as halt_models
from app.identity import auth_endpoints
from app.identity import endpoints as identity_endpoints
from app.identity import models as identity_models
from app.policy import models as policy_models
from app.progress import endpoints as progress_endpoints
from app.progress import models as progress_models
from app.runs import models as runs_models
from app.specs import endpoints as specs_endpoints
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

ROUTERS = (
    auth_endpoints.router,
    identity_endpoints.router,
    audit_endpoints.router,
    configurations_endpoints.router,
    specs_endpoints.router,
    experiments_endpoints.router,
    progress_endpoints.router,
)
"""Every slice's router, in the order of the API's document."""
