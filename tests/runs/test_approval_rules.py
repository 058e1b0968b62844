"""A workspace's approval rules at the gate: conditions that ask for more, and approvals that run out."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.approvals.schemas import DecisionOut
from app.audit import service as audit
from app.audit.schemas import AuditFilter
from app.core import clock
from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.identity import service as identity
from app.runs import deciding, tasks
from app.runs.errors import PlanRejected
from tests.factories.scene import Scene, new_scene

DELETES = {"when": "deletes", "required_approvals": 2}
OVER_2 = {"when": "changes_over", "threshold": 2, "required_approvals": 2}
PROD = {"when": "tag", "tag": "env=prod", "required_approvals": 2}


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def later(seconds: float) -> Any:
    at = clock.now() + timedelta(seconds=seconds)
    return clock.using(lambda: at)


def team_of(scene: Scene, name: str, *members: Actor) -> str:
    with unit_of_work() as session:
        team = identity.create_team(session, scene.admin, name)
        for member in members:
            identity.add_team_member(session, scene.admin, team.id, member.id)
        return team.id


def decisions(scene: Scene, run_id: str) -> list[DecisionOut]:
    with unit_of_work() as session:
        return approvals.decisions_of(session, [run_id]).get(run_id, [])


@pytest.mark.parametrize(
    ("condition", "plan", "reason"),
    [
        (DELETES, {"destroys": 1}, "2 approvals are needed because it destroys or replaces 1 resource"),
        (OVER_2, {"adds": 3}, "2 approvals are needed because it changes 3 resources, more than 2"),
        (PROD, {"tags": {"env": ("prod",)}}, "2 approvals are needed because a resource tagged env=prod changes"),
    ],
)
def test_condition_that_holds_asks_for_more_and_says_so(
    scene: Scene, condition: dict[str, Any], plan: dict[str, Any], reason: str
) -> None:
    scene.change(approval_conditions=[condition])
    plain, more = scene.at_gate(adds=1), scene.at_gate(**plan)
    detail = scene.approve(more).approvals_detail
    assert detail is not None
    assert (detail.have, detail.need) == (1, 2)
    assert reason in detail.because
    assert scene.status(more) == "awaiting_approval"
    scene.approve(more, scene.approvers[1])
    assert scene.status(more) == "approved"
    scene.approve(plain)
    assert scene.status(plain) == "approved", "what no condition holds for needs what the rule says"


def test_apply_of_a_rejected_plan_says_who_rejected_it_also_where_a_condition_asks_for_more(scene: Scene) -> None:
    scene.change(approval_conditions=[DELETES])
    run_id = scene.at_gate(destroys=1)
    scene.disapprove(run_id, "reject", scene.approvers[1])
    with unit_of_work() as session, pytest.raises(PlanRejected, match=f": {scene.approvers[1].name} rejected it, and"):
        deciding.apply(session, scene.admin, run_id)


def test_condition_with_a_team_is_met_by_its_members_alone(scene: Scene) -> None:
    team = team_of(scene, "security", scene.approvers[1])
    scene.change(approval_conditions=[{**DELETES, "required_approvals": 1, "approver_team_ids": [team]}])
    run_id = scene.at_gate(destroys=1)
    detail = scene.approve(run_id).approvals_detail
    assert detail is not None
    assert "of security because it destroys or replaces 1 resource: 0 of 1" in detail.because[1]
    scene.approve(run_id, scene.approvers[1])
    assert scene.status(run_id) == "approved"


def test_tags_that_nobody_looked_for_count_as_the_protected_one(scene: Scene) -> None:
    scene.change(approval_conditions=[PROD])
    version = scene.at_gate()
    scene.approve(version)
    job = scene.claimed(scene.child(version))
    assert scene.verify(job).may_apply
    kept = scene.put_state(job)
    scene.finish(job, kept.state_version_id)
    scene.quiesce(job)
    _, second = scene.applying()
    scene.finish(second, scene.put_state(second, 2, names=("a", "b")).state_version_id)
    scene.quiesce(second)
    rollback = scene.rollback(kept.state_version_id)
    job = scene.claimed(rollback)
    scene.settle(job)
    detail = scene.approve(rollback).approvals_detail
    assert detail is not None
    assert (detail.have, detail.need) == (1, 2)
    assert "tags of resources that change are not known, so env=prod may be among them" in detail.because[1]


def test_auto_apply_leaves_to_people_what_a_condition_asks_more_for(scene: Scene) -> None:
    scene.change(auto_apply=True, auto_apply_allows_destroy=True, approval_conditions=[DELETES])
    plain = scene.at_gate()
    assert scene.status(plain) == "approved"
    scene.discard(plain)
    deletes = scene.at_gate(destroys=1)
    assert scene.status(deletes) == "awaiting_approval"
    assert decisions(scene, deletes) == []


def test_changed_conditions_and_validity_void_approvals(scene: Scene) -> None:
    scene.change(required_approvals=2)
    for change in ({"approval_conditions": [DELETES]}, {"approval_validity_seconds": 3600}):
        run_id = scene.at_gate()
        scene.approve(run_id)
        scene.change(**change)
        assert [item.void_reason for item in decisions(scene, run_id)] == ["The workspace's approval rules changed."]
    approved = scene.at_gate()
    for approver in scene.approvers:
        scene.approve(approved, approver)
    child = scene.child(approved)
    scene.change(approval_validity_seconds=None)
    assert (scene.status(approved), scene.status(child)) == ("superseded", "cancelled")


def test_sweep_voids_an_approval_that_ran_out_and_another_takes_its_place(scene: Scene) -> None:
    scene.change(required_approvals=2, approval_validity_seconds=3600)
    run_id = scene.at_gate()
    shown = scene.approve(run_id).approvals_detail
    assert shown is not None
    given = shown.decisions[0]
    assert given.expires_at == given.created_at + timedelta(hours=1)
    with later(3599):
        tasks.sweep()
        assert decisions(scene, run_id)[0].voided_at is None
    with later(3600):
        tasks.sweep()
        assert decisions(scene, run_id)[0].void_reason == "It was valid for 1 hour, and they are over."
        again = scene.approve(run_id).approvals_detail
        assert again is not None
        assert again.have == 1
        scene.approve(run_id, scene.approvers[1])
    assert scene.status(run_id) == "approved"
    with unit_of_work() as session:
        recorded = audit.list_events(session, scene.organization_id, AuditFilter(target_id=run_id), PageParams())
    assert "approval.voided" in {event.action for event in recorded.items}


def test_quorum_does_not_wait_for_the_sweep_to_lose_what_ran_out(scene: Scene) -> None:
    scene.change(approval_validity_seconds=3600)
    run_id, child = scene.approved()
    job = scene.claimed(child)
    with later(3600):
        answer = scene.verify(job)
    assert not answer.may_apply
    assert answer.reason is not None
    assert "the quorum no longer holds" in answer.reason
    assert scene.status(run_id) == "superseded"


def test_sweep_supersedes_an_approved_plan_whose_quorum_ran_out_while_its_apply_is_queued(scene: Scene) -> None:
    scene.change(approval_validity_seconds=3600)
    run_id, child = scene.approved()
    with later(3600):
        tasks.sweep()
    assert (scene.status(run_id), scene.status(child)) == ("superseded", "cancelled")
    assert "ran out before the apply began" in (scene.run(run_id).status_reason or "")


def test_sweep_leaves_an_apply_that_runs_with_its_approvals(scene: Scene) -> None:
    scene.change(approval_validity_seconds=3600)
    run_id, job = scene.applying()
    # A runner that beats: its lease is no reason to end it.
    with later(3600):
        scene.port.heartbeat(job.run_id, job.fencing_token, "applying")
        tasks.sweep()
        with unit_of_work() as session:
            deciding.void_expired(session, run_id)
    assert scene.status(run_id) == "approved"
    assert decisions(scene, run_id)[0].voided_at is None


def test_sweep_supersedes_what_the_auto_apply_rule_approved_too_long_ago(scene: Scene) -> None:
    scene.change(auto_apply=True, approval_validity_seconds=3600)
    run_id = scene.at_gate()
    assert scene.status(run_id) == "approved"
    with later(3600):
        tasks.sweep()
    assert scene.status(run_id) == "superseded"
