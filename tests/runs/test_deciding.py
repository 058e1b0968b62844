"""Decisions at the gate, one by one: what is stale is never approved, and what is refused says why."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.approvals.errors import (
    AlreadyDecided,
    ApproverMustBePerson,
    FingerprintMismatch,
    NotAnApprover,
    SelfApprovalForbidden,
)
from app.core.db import unit_of_work
from app.core.permissions import Permission
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.runs import service, settling
from app.runs.errors import (
    ApprovalRequired,
    DestroyNotPermitted,
    IllegalTransition,
    PlanMoved,
    PolicyBlocked,
    RunNotFound,
    SpeculativeNeverApplies,
)
from app.runs.schemas import DecisionRequest
from tests.factories.scene import Scene, new_scene, second_workspace


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def test_approve_after_the_state_moved_is_refused_by_name(scene: Scene) -> None:
    waiting = scene.at_gate()
    _, job = scene.applying()
    scene.put_state(job, 4)
    with pytest.raises(PlanMoved, match="state moved from serial 0 to 4"):
        scene.approve(waiting)


def test_approve_after_the_policies_moved_is_refused_until_they_are_evaluated_again(scene: Scene) -> None:
    run_id = scene.at_gate()
    before = scene.run(run_id).fingerprint
    body = PolicyAttachmentIn(
        policy_set_uri="policies/no_local_exec", enforcement_level="advisory", workspace=scene.workspace.id
    )
    with unit_of_work() as session:
        policy.attach(session, scene.admin, body)
    with pytest.raises(PlanMoved, match="policies"):
        scene.approve(run_id)
    settling.reevaluate(run_id)
    assert scene.run(run_id).fingerprint != before
    scene.approve(run_id)
    assert scene.status(run_id) == "approved"


def test_approvals_are_void_once_the_policies_moved(scene: Scene) -> None:
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.approve(run_id)
    body = PolicyAttachmentIn(
        policy_set_uri="policies/no_local_exec", enforcement_level="advisory", workspace=scene.workspace.id
    )
    with unit_of_work() as session:
        policy.attach(session, scene.admin, body)
    settling.reevaluate(run_id)
    scene.approve(run_id, scene.approvers[1])
    assert scene.status(run_id) == "awaiting_approval", "the first approval was of other policies"
    scene.approve(run_id)
    assert scene.status(run_id) == "approved"


def test_approve_of_another_fingerprint_than_was_read_is_refused(scene: Scene) -> None:
    run_id = scene.at_gate()
    with unit_of_work() as session, pytest.raises(FingerprintMismatch):
        service.approve(session, scene.approvers[0], run_id, DecisionRequest(fingerprint="another"))


def test_approve_by_the_requester_needs_the_workspace_s_rule(scene: Scene) -> None:
    def own(place: Scene) -> str:
        place.planner = scene.admin
        return place.at_gate()

    strict, free = second_workspace(scene), second_workspace(scene, requester_may_approve=True)
    with pytest.raises(SelfApprovalForbidden):
        strict.approve(own(strict), scene.admin)
    run_id = own(free)
    free.approve(run_id, scene.admin)
    assert free.status(run_id) == "approved"


def test_approve_twice_and_by_who_may_not_are_refused(scene: Scene) -> None:
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.approve(run_id)
    with pytest.raises(AlreadyDecided):
        scene.approve(run_id)
    stranger = new_scene().approvers[0]
    with pytest.raises(RunNotFound):
        scene.approve(run_id, stranger)
    scene.change(approver_team_ids=[])
    assert scene.status(run_id) == "awaiting_approval"


def test_reject_stands_in_the_way_of_every_quorum_until_it_is_revoked(scene: Scene) -> None:
    run_id = scene.at_gate()
    first, second = scene.approvers
    scene.disapprove(run_id, "reject", first)
    scene.approve(run_id, second)
    assert scene.status(run_id) == "awaiting_approval"
    scene.approve(run_id, first)
    assert scene.status(run_id) == "approved"


def test_reject_and_apply_of_what_is_over_say_what_can_not_be_and_the_remedy(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.discard(run_id)
    with pytest.raises(IllegalTransition, match=r"is discarded can't be rejected\. Plan again\."):
        scene.disapprove(run_id, "reject")
    with (
        pytest.raises(IllegalTransition, match=r"is discarded can't be applied\. Plan again\."),
        unit_of_work() as session,
    ):
        service.apply(session, scene.admin, run_id)


def test_engine_pin_that_no_longer_allows_what_planned_supersedes(scene: Scene) -> None:
    plan, apply = scene.approved()
    scene.change(engine_kind="tofu", engine_version="~> 1.12.0")
    assert (scene.status(plan), scene.status(apply)) == ("approved", "queued")
    scene.change(engine_version="1.12.7")
    assert (scene.status(plan), scene.status(apply)) == ("superseded", "cancelled")
    assert "engine pin no longer allows tofu 1.12.6" in (scene.run(plan).status_reason or "")


def test_engine_pin_that_moves_while_it_is_planned_supersedes(scene: Scene) -> None:
    job = scene.claimed(scene.request())
    scene.change(engine_kind="terraform")
    assert scene.settle(job).status == "superseded"


def test_job_carries_the_engine_that_workspace_and_spec_ask_for(scene: Scene) -> None:
    scene.change(engine_kind="tofu", engine_version="~>  1.12,<1.13")
    job = scene.claimed(scene.request())
    assert (job.engine.kind, job.engine.version_constraint) == ("tofu", "~> 1.12, <1.13")


def test_revoke_while_the_apply_is_queued_supersedes(scene: Scene) -> None:
    plan, apply = scene.approved()
    scene.disapprove(plan, "revoke")
    assert (scene.status(plan), scene.status(apply)) == ("superseded", "cancelled")


def test_revoke_while_the_apply_runs_changes_nothing(scene: Scene) -> None:
    plan, job = scene.applying()
    scene.disapprove(plan, "revoke")
    assert (scene.status(plan), scene.status(job.run_id)) == ("approved", "running")


def test_apply_before_and_after_approval(scene: Scene) -> None:
    run_id = scene.at_gate()
    with unit_of_work() as session, pytest.raises(ApprovalRequired):
        service.apply(session, scene.admin, run_id)
    scene.approve(run_id)
    with unit_of_work() as session:
        assert service.apply(session, scene.admin, run_id).id == scene.child(run_id)


def test_blocked_and_speculative_plans_are_never_approved_or_applied(scene: Scene) -> None:
    body = PolicyAttachmentIn(
        policy_set_uri="policies/no_local_exec", enforcement_level="hard-mandatory", workspace=scene.workspace.id
    )
    speculative = scene.request(speculative=True)
    scene.settle(scene.claimed(speculative))
    with unit_of_work() as session:
        policy.attach(session, scene.admin, body)
    blocked = scene.at_gate()
    assert (scene.status(blocked), scene.status(speculative)) == ("policy_blocked", "planned")
    for run_id, error in ((blocked, PolicyBlocked), (speculative, SpeculativeNeverApplies)):
        with pytest.raises(error):
            scene.approve(run_id)
        with unit_of_work() as session, pytest.raises(error):
            service.apply(session, scene.admin, run_id)


@pytest.mark.parametrize(
    ("withheld", "said"),
    [(frozenset({Permission.RUNS_DESTROY}), "This token of .* Use one that has it"), (frozenset(), "for a role that")],
    ids=["token", "role"],
)
def test_destroy_without_the_right_says_whether_token_or_role_lacks_it(
    scene: Scene, withheld: frozenset[Permission], said: str
) -> None:
    held = scene.planner.permissions - {Permission.RUNS_DESTROY}
    scene.planner = replace(scene.planner, permissions=held, withheld=withheld)
    with pytest.raises(DestroyNotPermitted, match=said):
        scene.request("destroy")


def test_approval_by_a_narrow_token_says_that_the_token_lacks_the_right(scene: Scene) -> None:
    run_id = scene.at_gate()
    approver = scene.approvers[0]
    right = frozenset({Permission.RUNS_APPROVE})
    narrow = replace(approver, permissions=approver.permissions - right, withheld=right)
    with pytest.raises(NotAnApprover, match="This token of .* leaves runs:approve out"):
        scene.approve(run_id, narrow)
    scene.approve(run_id, approver)


def test_auto_apply_applies_what_passes_and_leaves_a_destroy_to_people(scene: Scene) -> None:
    auto = second_workspace(scene, auto_apply=True)
    passed, destroying = auto.request(), auto.request()
    job = auto.claimed(passed)
    auto.settle(job)
    assert auto.status(passed) == "approved"
    auto.quiesce(job)
    apply = auto.claimed(auto.child(passed))
    assert auto.verify(apply).may_apply
    auto.fail(apply)
    auto.quiesce(apply)
    job = auto.claimed(destroying)
    auto.settle(job, destroys=1)
    assert auto.status(destroying) == "awaiting_approval"


def test_newer_plans_wait_beside_each_other_and_the_first_applied_supersedes_the_rest(scene: Scene) -> None:
    first, second = scene.at_gate(), scene.at_gate()
    scene.approve(second)
    job = scene.claimed(scene.child(second))
    assert scene.verify(job).may_apply
    scene.apply_to_end(job)
    with pytest.raises((PlanMoved, IllegalTransition)):
        scene.approve(first)


def test_planner_and_service_account_never_approve(scene: Scene) -> None:
    run_id = scene.at_gate()
    with pytest.raises(ApproverMustBePerson):
        scene.approve(run_id, scene.planner)
