"""Errors of state."""

from app.core.errors import Conflict, Forbidden, Gone, Invalid, NotFound


class StateVersionNotFound(NotFound):
    """No such state version in the actor's organization, or the workspace has none yet."""

    code = "state_version_not_found"
    title = "No such state version"


class StateUnreadable(Invalid):
    """What was sent is not a state of format 4."""

    code = "state_unreadable"
    title = "This is not a state"


class AddressUnreadable(Invalid):
    """A text that should be the address of a resource instance is none."""

    code = "address_unreadable"
    title = "The address can't be read"


class StateEncrypted(StateUnreadable):
    """OpenTofu has encrypted the state by its configuration's ``encryption`` block, so nothing of it can be read."""

    code = "state_encrypted"
    title = "The state is encrypted"


class StateExists(Conflict):
    """The workspace has a state already, so none is imported over it."""

    code = "state_exists"
    title = "The workspace has a state"


class StateElsewhere(Conflict):
    """The workspace's state lies in a backend that Sluice does not keep."""

    code = "state_elsewhere"
    title = "The state lies in another backend"


class HcpAddressRefused(Forbidden):
    """The installation does not allow an import from this address."""

    code = "hcp_address_refused"
    title = "Imports from this address are not allowed"


class HcpStateMissing(NotFound):
    """The workspace in HCP Terraform has no state version."""

    code = "hcp_state_missing"
    title = "The workspace in HCP Terraform has no state"


class StateConflict(Conflict):
    """The state does not follow the current one: another lineage, or a lower serial."""

    code = "state_conflict"
    title = "The state does not follow the current one"


class StateLocked(Conflict):
    """Another run holds the state lock."""

    code = "state_locked"
    title = "The state is locked"


class StateVersionPruned(Gone):
    """Retention let go of the content of this state version; what is said about it is kept."""

    code = "state_version_pruned"
    title = "The state version's content is no longer kept"


class StateVersionCurrent(Conflict):
    """The state version that is to be rolled back to is the current one."""

    code = "state_version_current"
    title = "This is the current state version"


class StateLineageDiffers(Conflict):
    """The state version belongs to another state than the workspace's present one: its lineage differs."""

    code = "state_lineage_differs"
    title = "The state version is another state's"


class MigrationTargetTaken(Conflict):
    """The place that a state is to be moved to holds another state, or a newer one."""

    code = "migration_target_taken"
    title = "The target holds another state"


class StateVersionDamaged(Conflict):
    """The content of the state version can't be put together any more: it does not match its digest or its seal."""

    code = "state_version_damaged"
    title = "The state version can't be read"


class StateNotLocked(Conflict):
    """Nobody holds the state lock."""

    code = "state_not_locked"
    title = "The state is not locked"


class NotYourLock(Forbidden):
    """Somebody else holds the lock."""

    code = "not_your_lock"
    title = "The lock is somebody else's"


class OutputNotFound(NotFound):
    """The state has no such output."""

    code = "output_not_found"
    title = "No such output"


class QuarantineNotFound(NotFound):
    """No such quarantined state in the actor's organization."""

    code = "quarantine_not_found"
    title = "No such quarantined state"


class QuarantineDecided(Conflict):
    """The quarantined state was adopted or discarded already."""

    code = "quarantine_decided"
    title = "The quarantined state was decided already"


class UpstreamOutputMissing(Conflict):
    """The workspace is not there, has no state, or its state has no such output; ``errors`` names the mapping."""

    code = "upstream_output_missing"
    title = "An output of another workspace is missing"


class UpstreamOutputNotShared(Conflict):
    """The other workspace does not share its outputs with this one."""

    code = "upstream_output_not_shared"
    title = "Another workspace does not share its outputs"


class UpstreamCycle(Conflict):
    """The workspaces read each other's outputs in a circle."""

    code = "upstream_cycle"
    title = "Workspaces read each other's outputs in a circle"
