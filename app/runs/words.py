"""What a run is and where it is, in the words that machine, schemas and other slices share."""

from enum import StrEnum


class Kind(StrEnum):
    """What a run does. All but ``apply`` plan."""

    PLAN = "plan"
    DESTROY = "destroy"
    REFRESH = "refresh"
    ROLLBACK = "rollback"
    MIGRATION = "migration"
    APPLY = "apply"


class Status(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    POLICY_BLOCKED = "policy_blocked"
    APPROVED = "approved"
    PLANNED = "planned"
    NO_CHANGES = "no_changes"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"
    ERRORED = "errored"
