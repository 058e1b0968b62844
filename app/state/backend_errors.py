"""Errors of the managed backend, each with a code of its own. The engine shows the status; a person's client the rest.

Errors with status 423 carry the holder as the engines' lock info (``ID``, ``Who``, ``Info``, …), which they print.
"""

from app.core.errors import AppError, Conflict, Forbidden


class StateRefused(AppError):
    """Mixed into what refuses a state that was sent: a readable one goes into quarantine."""


class StateTruncated(AppError):
    """The body is not a whole JSON document."""

    status = 400
    code = "state_truncated"
    title = "The state is cut short"


class StateMalformed(AppError):
    """The body is JSON, but no state of format 4."""

    status = 400
    code = "state_malformed"
    title = "This is not a state"


class StateDigestMismatch(StateRefused):
    """The body does not match its Content-MD5."""

    status = 400
    code = "state_digest_mismatch"
    title = "The state was altered on its way"


class StateSerialOutdated(StateRefused, Conflict):
    """The serial did not rise, and the content is another one than the current."""

    code = "state_serial_outdated"
    title = "The state is older than the current one"


class StateLineageForeign(StateRefused, Conflict):
    """The state belongs to another lineage than the workspace's."""

    code = "state_lineage_foreign"
    title = "The state belongs to another lineage"


class StateLockIdWrong(StateRefused, Conflict):
    """The request names a lock id that is not the one noted."""

    code = "state_lock_id_wrong"
    title = "That is not the lock's id"


class StateLockLost(StateRefused, Conflict):
    """The sender does not hold the state lock (any more)."""

    code = "state_lock_lost"
    title = "The state lock is not held"


class StateLockHeld(StateRefused):
    """Somebody else holds the state lock; the holder is in the answer as the engines' lock info."""

    status = 423
    code = "state_locked_by_another"
    title = "The state is locked"


class StateHalted(StateRefused):
    """A halt stands, so nobody may take the lock, or write without it, by hand."""

    status = 423
    code = "state_halted"
    title = "A halt stands"


class LockInfoUnreadable(AppError):
    """A LOCK without the engine's lock info."""

    status = 400
    code = "lock_info_unreadable"
    title = "This is not a lock info"


class StateKeptElsewhere(StateRefused, Conflict):
    """The workspace's state lies in another backend, so what Sluice has of it is a copy."""

    code = "state_is_a_copy"
    title = "What is here is a copy of the state"


class StateHoldsResources(Conflict):
    """A state that still holds resources can't be deleted."""

    code = "state_holds_resources"
    title = "The state holds resources"


class RunCredentialForeign(StateRefused, Forbidden):
    """The credential is a run's of another workspace."""

    code = "run_credential_foreign"
    title = "The credential is another workspace's"


class RunCredentialQuiesced(StateRefused, Forbidden):
    """The credential's run has quiesced."""

    code = "run_credential_quiesced"
    title = "The credential's run has quiesced"


class PlanCredentialReadsOnly(StateRefused, Forbidden):
    """A plan's credential can't write state."""

    code = "plan_credential_reads_only"
    title = "A plan's credential can't write state"
