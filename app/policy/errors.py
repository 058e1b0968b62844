"""What can go wrong with policy sets and their attachments."""

from app.configurations.errors import GitFetchFailed, GitSourceRefused
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.outgoing import OutgoingFailed, OutgoingRefused
from app.executor.errors import ToolMissing


class PolicySetNotFound(NotFound):
    """No policy set lies where ``policy_set_uri`` points."""

    code = "policy_set_not_found"
    title = "There is no such policy set"


class PolicySetUriRefused(Invalid):
    """``policy_set_uri`` has a scheme that is not supported, or leaves the policies directory."""

    code = "policy_set_uri_refused"
    title = "This policy set address can't be used"


class PolicySetInvalid(Invalid):
    """The policy set can't be read or does not compile; ``reason`` says why."""

    code = "policy_set_invalid"
    title = "The policy set is not valid"


class PolicyAttachmentNotFound(NotFound):
    """The attachment does not exist, was deleted, or belongs to another organization."""

    code = "policy_attachment_not_found"
    title = "There is no such policy attachment"


class PolicyAttachmentExists(Conflict):
    """The same policy set is attached to the same target already; ``attachment_id`` names it."""

    code = "policy_attachment_exists"
    title = "The policy set is attached already"


class PolicyAttachmentInvalid(Invalid):
    """The attachment contradicts itself: two targets, or a waiver on a mandatory level."""

    code = "policy_attachment_invalid"
    title = "The policy attachment is not valid"


class PolicyChangeMustBePerson(Forbidden):
    """A service account or an AI agent tried to detach a policy set, or to sync one to other files."""

    code = "policy_change_must_be_person"
    title = "Only people detach and sync policies"


SET_REFUSALS = (
    PolicySetNotFound,
    PolicySetUriRefused,
    PolicySetInvalid,
    GitSourceRefused,
    GitFetchFailed,
    OutgoingRefused,
    OutgoingFailed,
    ToolMissing,
)
"""Why a policy set can't be read from where its address says, or does not compile."""
