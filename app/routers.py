"""The one list of every slice's routers. Apart from ``registry``, so that only what serves the API loads them."""

from app.audit import endpoints as audit_endpoints
from app.configurations import endpoints as configurations_endpoints
from app.experiments import endpoints as experiments_endpoints
from app.halt import drill_endpoints as halt_drill_endpoints
from app.halt import endpoints as halt_endpoints
from app.halt import watching as halt_watching
from app.identity import auth_endpoints
from app.identity import endpoints as identity_endpoints
from app.inbox import endpoints as inbox_endpoints
from app.notifications import endpoints as notifications_endpoints
from app.overview import endpoints as overview_endpoints
from app.policy import endpoints as policy_endpoints
from app.progress import endpoints as progress_endpoints
from app.recovery import endpoints as recovery_endpoints
from app.recovery import resource_endpoints as recovery_resource_endpoints
from app.rehearsal import endpoints as rehearsal_endpoints
from app.runs import endpoints as runs_endpoints
from app.runs import queue_endpoints
from app.specs import endpoints as specs_endpoints
from app.state import backend_endpoints as state_backend_endpoints
from app.state import endpoints as state_endpoints
from app.state import import_endpoints as state_import_endpoints
from app.state import upstream_endpoints as state_upstream_endpoints
from app.workspaces import endpoints as workspaces_endpoints

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
