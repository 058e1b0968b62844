"""Why a decision on a run is refused."""

from app.core.errors import Conflict, Forbidden, Invalid


class ApproverMustBePerson(Forbidden):
    """A service account, an AI agent or Sluice itself tried to decide; only people do."""

    code = "approver_must_be_person"
    title = "Only people decide on runs"


class NotAnApprover(Forbidden):
    """The person lacks the right to approve, or is in none of the workspace's approver teams."""

    code = "not_an_approver"
    title = "Not an approver of this workspace"


class SelfApprovalForbidden(Forbidden):
    """The person requested the run, and the workspace wants another pair of eyes."""

    code = "self_approval_forbidden"
    title = "The requester may not approve"


class FingerprintMismatch(Conflict):
    """The plan moved since the person looked at it; ``fingerprint`` is the present one."""

    code = "fingerprint_mismatch"
    title = "The plan has moved"


class AlreadyDecided(Conflict):
    """The person's newest decision on this fingerprint is the same already; ``decision_id`` names it."""

    code = "already_decided"
    title = "Decided already"


class NothingToRevoke(Conflict):
    """The person has no standing decision on this fingerprint."""

    code = "nothing_to_revoke"
    title = "There is nothing to revoke"


class CommentTooLong(Invalid):
    """The comment has more characters than are kept."""

    code = "comment_too_long"
    title = "The comment is too long"


class OverrideMustBePerson(Forbidden):
    """A service account or an AI agent tried to override a policy; only people do."""

    code = "override_must_be_person"
    title = "Only people override policies"


class SelfOverrideForbidden(Forbidden):
    """The person requested the run: an override takes a second one, whatever the workspace's rules."""

    code = "self_override_forbidden"
    title = "The requester may not override"


class OverrideReasonMissing(Invalid):
    """An override was asked for without saying why."""

    code = "override_reason_missing"
    title = "An override needs a reason"


class OverrideTooLong(Invalid):
    """An override was asked for longer than the installation allows, or its reason is longer than is kept."""

    code = "override_too_long"
    title = "The override is too long"
