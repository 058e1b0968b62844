"""Errors of rehearsals."""

from app.core.errors import Conflict, Invalid, NotFound, Unavailable


class RehearsalNotFound(NotFound):
    """No rehearsal of that id in the actor's organization, or it was removed after its time."""

    code = "rehearsal_not_found"
    title = "No such rehearsal"


class RehearsalInvalid(Invalid):
    """The request contradicts itself: two policies or none, two choices of plans, a waiver on a mandatory level."""

    code = "rehearsal_invalid"
    title = "The rehearsal is not valid"


class TooManyRehearsals(Conflict):
    """As many rehearsals of the organization wait as may."""

    code = "too_many_rehearsals"
    title = "Too many rehearsals wait"


class RehearsalOver(Conflict):
    """The rehearsal has ended, so there is nothing to cancel."""

    code = "rehearsal_over"
    title = "The rehearsal has ended"


class PlaygroundBusy(Unavailable):
    """As many drafts are tried on this process as may at once."""

    code = "playground_busy"
    title = "Too many drafts are tried at once"
