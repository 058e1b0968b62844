"""Every way around the gate that anybody thought of, and the code that refuses it.

The docs' table is made from this list, and ``test_ways_around`` tries each.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One way around: its key in the test, what is tried, and the code of the refusal; None where nothing happens.

    ``ends`` says that the refusal itself ends the plan: it is found when the apply is about to start.
    """

    key: str
    tried: str
    code: str | None
    ends: bool = False
    instead: str = ""


WAYS = (
    Way(
        "without_approval",
        "apply what nobody approved: a plan at the gate, one with too few approvals, one that auto-apply leaves to "
        "people (it deletes, it moves a state, it was overridden)",
        "approval_required",
    ),
    Way("of_another_organization", "approve, override or apply another organization's plan", "run_not_found"),
    Way("by_nobody", "without a token, with one of a disabled person, with a revoked one", "unauthenticated"),
    Way("without_the_right", "approve, override or apply as a person without the permission", "forbidden"),
    Way("by_a_narrow_token", "approve, override or apply by a token that was narrowed to less", "token_too_narrow"),
    Way("by_a_program", "approve as a service account or an AI agent with every role", "approver_must_be_person"),
    Way("by_the_requester", "approve one's own plan", "self_approval_forbidden"),
    Way("outside_the_team", "approve without being in an approver team", "not_an_approver"),
    Way("twice_by_one", "approve twice as one person, where two must", "already_decided"),
    Way(
        "by_another_fingerprint",
        "approve or override by the fingerprint of another plan, or of an earlier evaluation",
        "fingerprint_mismatch",
    ),
    Way("after_the_state_moved", "approve after the state moved", "state_moved"),
    Way("after_a_variable_changed", "approve after a variable changed", "variables_moved"),
    Way("after_the_engine_changed", "approve after the workspace's engine pin changed", "engine_moved"),
    Way("after_a_policy_changed", "approve after a policy was attached, before it judged the plan", "policies_moved"),
    Way(
        "after_fewer_approvals_were_asked",
        "ask for fewer approvals once somebody approved, so that those given suffice",
        "approvals_void",
    ),
    Way("after_a_rule_changed", "apply an approved plan after an approval rule changed", "approval_rules_moved"),
    Way(
        "with_an_approver_who_left",
        "apply an approved plan whose approver was disabled, or lost the role or the team",
        "rights_moved",
    ),
    Way(
        "counting_who_left",
        "apply by an approval whose author may not approve any more, before the quorum",
        "approvals_not_counted",
    ),
    Way("with_an_expired_approval", "apply an approved plan whose approval ran out", "approval_expired"),
    Way(
        "losing_the_quorum_late",
        "let the apply start though an approver lost the right after it was claimed",
        "quorum_lost",
        ends=True,
    ),
    Way("of_a_rejected_plan", "apply while a rejection stands", "plan_rejected"),
    Way("after_a_revoke", "apply after an approval was taken back", "approval_taken_back"),
    Way("of_a_discarded_plan", "approve or apply a discarded plan", "run_discarded"),
    Way("of_a_plan_too_old", "approve or apply a plan older than the workspace allows", "plan_too_old"),
    Way("of_a_speculative_plan", "approve, override or apply a speculative plan", "speculative_plan"),
    Way("of_an_empty_plan", "approve or apply a plan without changes", "nothing_to_apply"),
    Way("again_when_approved", "approve once more when the quorum is complete, for a second apply", "already_approved"),
    Way("again_when_applied", "approve what was applied, to apply it again", "already_applied"),
    Way("a_destroy_without_the_right", "plan a destroy without `runs:destroy`", "destroy_not_permitted"),
    Way("while_halted", "request, approve or override while a halt stands, or in a race with it", "halted"),
    Way("after_the_halt", "approve or apply what a halt ended, once it is resumed", "run_halted"),
    Way("a_replay_with_another_body", "send another request under an `Idempotency-Key`", "idempotency_key_reused"),
    Way(
        "a_replay",
        "send the same request again under its `Idempotency-Key`",
        None,
        instead="the first answer, no second run",
    ),
    Way(
        "a_forged_message",
        "send `runs.execute`, `runs.reevaluate` or `runs.supersede_moved` by hand",
        None,
        instead="nothing starts: a message is a doorbell",
    ),
    Way("of_a_blocked_plan", "approve or apply a plan that a policy blocks", "policy_blocked"),
    Way("overriding_one_s_own", "override the policies of one's own plan", "self_override_forbidden"),
    Way(
        "overriding_as_a_program",
        "override as a service account or an AI agent with every role",
        "override_must_be_person",
    ),
    Way("overriding_without_a_reason", "override without a reason", "override_reason_missing"),
    Way("overriding_for_ever", "override for longer than the installation allows", "override_too_long"),
    Way(
        "overriding_what_can_not_be",
        "override a hard-mandatory failure, or a set that could not be evaluated",
        "override_not_possible",
    ),
    Way("overriding_ahead", "override where no policy blocks, to be ahead of one", "policy_not_blocking"),
    Way("by_an_expired_override", "approve under an override that expired", "override_expired"),
    Way(
        "by_a_lost_override",
        "apply an approved plan whose override ended: it expired, or its author lost the right",
        "override_ended",
    ),
    Way("taking_a_tag_away", "take the tag away by which a policy binds the workspace", "tags_are_rules"),
    Way("rules_by_a_program", "change the gate's rules as a service account", "rules_must_be_person"),
    Way(
        "policies_by_a_program",
        "detach a policy set, or sync it to weaker files, as a service account",
        "policy_change_must_be_person",
    ),
    Way(
        "a_swapped_plan_file",
        "put another plan's file where the approved one lies in the artifact store",
        "integrity_error",
    ),
    Way("an_altered_plan", "point an approved run at another run's plan", "plan_altered", ends=True),
    Way("state_by_a_plan", "write state with a plan's credential", "plan_credential_reads_only"),
)
