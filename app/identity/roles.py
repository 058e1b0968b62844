"""The roles: named sets of permissions. Every role holds the viewer's; only the admin's holds everything."""

from collections.abc import Iterable
from enum import StrEnum

from app.core.permissions import PERSON_ONLY, ActorKind, Permission


class Role(StrEnum):
    """Every role there is."""

    VIEWER = "viewer"
    PLANNER = "planner"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


_VIEWER = frozenset(
    {
        Permission.ORGANIZATION_READ,
        Permission.TOKENS_OWN,
        Permission.STACKS_READ,
        Permission.WORKSPACES_READ,
        Permission.VARIABLES_READ,
        Permission.CONFIGURATIONS_READ,
        Permission.RUNS_READ,
        Permission.POLICIES_READ,
        Permission.STATE_READ,
        Permission.HALT_READ,
    }
)
_PLANNER = _VIEWER | {
    Permission.STACKS_WRITE,
    Permission.CONFIGURATIONS_UPLOAD,
    Permission.RUNS_PLAN,
    Permission.RUNS_DESTROY,
    Permission.RUNS_CANCEL,
    Permission.RUNS_DISCARD,
}
_APPROVER = _VIEWER | {
    Permission.AUDIT_READ,
    Permission.RUNS_APPROVE,
    Permission.RUNS_OVERRIDE,
    Permission.RUNS_APPLY,
    Permission.RUNS_CANCEL,
    Permission.RUNS_DISCARD,
    Permission.HALT_RAISE,
}
_OPERATOR = _PLANNER | {
    Permission.AUDIT_READ,
    Permission.WORKSPACES_WRITE,
    Permission.VARIABLES_WRITE,
    Permission.RUNS_APPLY,
    Permission.STATE_READ_SENSITIVE,
    Permission.STATE_DOWNLOAD,
    Permission.STATE_WRITE,
    Permission.STATE_UNLOCK,
    Permission.HALT_RAISE,
    Permission.HALT_RESUME,
    Permission.HALT_DRILL,
}

PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.PLANNER: _PLANNER,
    Role.APPROVER: _APPROVER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
}

DESCRIPTIONS: dict[str, str] = {
    Role.VIEWER: "Reads stacks, workspaces, runs, plans, outputs and policies.",
    Role.PLANNER: "Pushes specs and configurations, requests plans, cancels and discards runs. Never applies.",
    Role.APPROVER: "Approves, rejects and overrides as a person; applies what was approved; may halt.",
    Role.OPERATOR: "Runs workspaces, variables and state, applies what others approved, halts and resumes.",
    Role.ADMIN: "Everything, members, policies and the gate's rules included.",
}


def permissions_of(roles: Iterable[str], kind: ActorKind) -> frozenset[Permission]:
    """Return what a subject of ``kind`` with ``roles`` may do; names that are no role give nothing."""
    held = frozenset[Permission]().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))
    return held if kind == "person" else held - PERSON_ONLY
