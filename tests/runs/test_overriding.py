"""Overrides: a second person lets a plan wait at the gate although soft-mandatory policies deny it, for a while."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.approvals.errors import (
    FingerprintMismatch,
    OverrideMustBePerson,
    OverrideReasonMissing,
    OverrideTooLong,
    SelfOverrideForbidden,
)
from app.approvals.models import TerraformOverride
from app.audit.models import AuditEvent
from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import Forbidden
from app.core.permissions import Permission
from app.fence.errors import Halted
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from app.runs import settling, tasks
from app.runs.errors import (
    IllegalTransition,
    OverrideExpired,
    OverrideNotPossible,
    PolicyBlocked,
    PolicyNotBlocking,
    SpeculativeNeverApplies,
)
from tests.factories.policies import DENIES, FAILS, PASSES, PolicySets, attach, detach, sync
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support import people

HOUR = 3600


@pytest.fixture
def scene(session: Session, sent_jobs: Any, sets: PolicySets) -> Scene:
    made = new_scene()
    attach(made, sets.write("soft"))
    return made


def expire(run_id: str) -> None:
    """Have the run's override expire a second ago."""
    with unit_of_work() as session:
        session.execute(
            update(TerraformOverride)
            .where(TerraformOverride.run_id == run_id)
            .values(expires_at=clock.now() - timedelta(seconds=1))
        )


def change_rights(scene: Scene, user_id: str, **change: Any) -> None:
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, user_id, UserChange.model_validate(change))


def actions(run_id: str) -> list[str]:
    with unit_of_work() as session:
        query = select(AuditEvent).where(AuditEvent.target_id == run_id).order_by(AuditEvent.id)
        return [row.action for row in session.scalars(query)]


def test_override_lets_a_blocked_plan_wait_be_approved_and_applied(scene: Scene) -> None:
    run_id = scene.at_gate()
    assert scene.status(run_id) == "policy_blocked"
    before = scene.run(run_id).fingerprint
    shown = scene.override(run_id, scene.approvers[0], reason="The rule is being changed.", seconds=HOUR)
    assert (shown.status, shown.was_overridden, shown.verdict) == ("awaiting_approval", True, "blocked_soft")
    assert shown.fingerprint is not None
    assert shown.fingerprint.digest == before, "an override moves no fingerprint, since it binds one"
    [kept] = shown.overrides
    assert (kept.actor.name, kept.reason, kept.ended_at) == ("Approver 0", "The rule is being changed.", None)
    assert kept.policy_set_uris == ["policies/soft"]
    assert kept.fingerprint == before
    assert timedelta(seconds=HOUR - 60) < kept.expires_at - clock.now() <= timedelta(seconds=HOUR)
    scene.approve(run_id, scene.approvers[1])
    job = scene.claimed(scene.child(run_id))
    assert scene.verify(job).may_apply
    scene.apply_to_end(job)
    assert scene.status(run_id) == "applied"
    assert [action for action in actions(run_id) if "overr" in action] == ["run.overridden", "run.override"]


def test_override_is_shown_for_ever_on_the_plan_and_on_its_apply(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id)
    child = scene.child(run_id)
    scene.apply_to_end(_verified(scene, child))
    expire(run_id)
    tasks.sweep()
    for shown in (scene.shown(run_id), scene.shown(child)):
        assert shown.was_overridden
        [kept] = shown.overrides
        assert kept.end_reason == "It expired after the run had ended."
    assert scene.status(run_id) == "applied"


def _verified(scene: Scene, apply_id: str) -> Any:
    job = scene.claimed(apply_id)
    assert scene.verify(job).may_apply
    return job


def test_override_by_the_requester_is_refused_whatever_the_rules(scene: Scene) -> None:
    scene.change(requester_may_approve=True)
    scene.planner = scene.admin
    run_id = scene.at_gate()
    with pytest.raises(SelfOverrideForbidden):
        scene.override(run_id, scene.admin)
    assert scene.status(run_id) == "policy_blocked"
    you = _you(scene, run_id, scene.admin)
    assert not you.may_override
    assert "second person" in (you.why_not_override or "")
    assert _you(scene, run_id, scene.approvers[0]).may_override


def _you(scene: Scene, run_id: str, actor: Any) -> Any:
    detail = scene.shown(run_id, actor).approvals_detail
    assert detail is not None
    return detail.you


@pytest.mark.parametrize("is_agent", [False, True])
def test_override_by_who_is_no_person_is_refused_even_with_every_role(scene: Scene, is_agent: bool) -> None:
    run_id = scene.at_gate()
    with unit_of_work() as session:
        robot = people.account(session, scene.organization_id, Role.ADMIN, is_agent=is_agent).actor
    with pytest.raises(OverrideMustBePerson):
        scene.override(run_id, robot)
    assert scene.status(run_id) == "policy_blocked"


def test_override_without_the_right_is_refused(scene: Scene) -> None:
    run_id = scene.at_gate()
    with unit_of_work() as session:
        viewer = people.person(session, scene.organization_id, Role.VIEWER, name="Vera").actor
    with pytest.raises(Forbidden) as refused:
        scene.override(run_id, viewer)
    assert refused.value.fields["permission"] == Permission.RUNS_OVERRIDE


def test_override_without_a_reason_or_for_too_long_is_refused(scene: Scene) -> None:
    run_id = scene.at_gate()
    for empty in ("", " \n\t "):
        with pytest.raises(OverrideReasonMissing):
            scene.override(run_id, reason=empty)
    with pytest.raises(OverrideTooLong, match="at most 4000"):
        scene.override(run_id, reason="x" * 4001)
    with pytest.raises(OverrideTooLong, match="604800 seconds at most"):
        scene.override(run_id, seconds=604_801)
    assert scene.shown(run_id).overrides == []
    kept = scene.override(run_id, seconds=604_800).overrides[0]
    assert kept.expires_at - kept.created_at == timedelta(days=7)


def test_override_of_another_fingerprint_than_was_read_is_refused(scene: Scene) -> None:
    run_id = scene.at_gate()
    with pytest.raises(FingerprintMismatch):
        scene.override(run_id, fingerprint="another")
    assert scene.status(run_id) == "policy_blocked"


def test_override_of_a_hard_mandatory_failure_or_of_what_could_not_be_evaluated_is_refused(
    scene: Scene, sets: PolicySets
) -> None:
    hard, broken = second_workspace(scene), second_workspace(scene)
    for place, name, rego, level in (
        (hard, "hard", DENIES, "hard-mandatory"),
        (broken, "broken", FAILS, "advisory"),
    ):
        attach(place, "policies/soft")
        attach(place, sets.write(name, rego), level)  # type: ignore[arg-type]
        run_id = place.at_gate()
        with pytest.raises(OverrideNotPossible) as refused:
            place.override(run_id)
        assert refused.value.fields["because"] == {"hard": "hard_mandatory", "broken": "not_evaluable"}[name]
        assert refused.value.fields["policy_set_uris"] == [f"policies/{name}"]
        assert place.status(run_id) == "policy_blocked"
        assert "override" not in place.shown(run_id, place.approvers[0]).allowed_actions


def test_override_where_nothing_blocks_or_nothing_waits_is_refused(scene: Scene) -> None:
    free = second_workspace(scene)
    waiting = free.at_gate()
    with pytest.raises(PolicyNotBlocking):
        free.override(waiting)
    discarded = scene.at_gate()
    scene.override(discarded)
    with pytest.raises(PolicyNotBlocking):
        scene.override(discarded)
    scene.discard(discarded)
    with pytest.raises(IllegalTransition):
        scene.override(discarded)
    speculative = scene.request(speculative=True)
    scene.settle(scene.claimed(speculative))
    with pytest.raises(SpeculativeNeverApplies):
        scene.override(speculative)
    halted = scene.at_gate()
    scene.halt()
    with pytest.raises(Halted):
        scene.override(halted)


def test_expired_override_sends_the_plan_back_and_voids_its_approvals(scene: Scene) -> None:
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id, scene.approvers[0])
    expire(run_id)
    with pytest.raises(OverrideExpired, match="Approver 1's override expired"):
        scene.approve(run_id, scene.approvers[1])
    tasks.sweep()
    shown = scene.shown(run_id)
    assert shown.status == "policy_blocked"
    assert shown.overrides[0].ended_at is not None
    assert "expired" in (shown.overrides[0].end_reason or "")
    assert shown.approvals_detail is not None
    assert [item.void_reason for item in shown.approvals_detail.decisions] == [shown.overrides[0].end_reason]
    with pytest.raises(PolicyBlocked):
        scene.approve(run_id, scene.approvers[1])
    assert "override.ended" in actions(run_id)


def test_override_again_after_it_expired_takes_new_approvals(scene: Scene) -> None:
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.override(run_id, reason="once")
    scene.approve(run_id, scene.approvers[0])
    expire(run_id)
    tasks.sweep()
    shown = scene.override(run_id, reason="twice")
    assert [item.reason for item in shown.overrides] == ["once", "twice"]
    scene.approve(run_id, scene.approvers[1])
    assert scene.status(run_id) == "awaiting_approval", "the approval under the first override is void"
    scene.approve(run_id, scene.approvers[0])
    assert scene.status(run_id) == "approved"


def test_expired_override_supersedes_an_approved_plan_whose_apply_is_queued(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id)
    child = scene.child(run_id)
    expire(run_id)
    tasks.sweep()
    assert (scene.status(run_id), scene.status(child)) == ("superseded", "cancelled")
    assert "expired" in (scene.run(run_id).status_reason or "")


def test_override_that_expires_before_the_apply_is_verified_stops_it(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    expire(run_id)
    answer = scene.verify(job)
    assert not answer.may_apply
    assert "override expired" in answer.reason
    assert scene.status(run_id) == "superseded"


def test_override_that_expires_after_the_apply_was_verified_stops_nothing(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id)
    job = _verified(scene, scene.child(run_id))
    expire(run_id)
    tasks.sweep()
    assert scene.status(run_id) == "approved"
    scene.apply_to_end(job)
    assert scene.status(run_id) == "applied"
    assert scene.shown(run_id).overrides[0].ended_at is not None


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"roles": ["planner"]}])
def test_overrider_who_loses_the_right_takes_the_override_along(scene: Scene, change: dict[str, Any]) -> None:
    waiting, approved = scene.at_gate(), scene.at_gate()
    for run_id in (waiting, approved):
        scene.override(run_id, scene.approvers[1])
    scene.approve(approved, scene.approvers[0])
    change_rights(scene, scene.approvers[1].id, **change)
    assert (scene.status(waiting), scene.status(approved)) == ("policy_blocked", "superseded")
    reason = scene.shown(waiting).overrides[0].end_reason or ""
    assert reason == "Approver 1, who overrode its policies, may not override any more."


def test_others_who_lose_rights_leave_an_override_alone(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.override(run_id, scene.approvers[1])
    change_rights(scene, scene.approvers[0].id, is_disabled=True)
    assert scene.status(run_id) == "awaiting_approval"
    assert scene.shown(run_id).overrides[0].ended_at is None


def test_policies_that_move_end_the_override_and_ask_anew(scene: Scene, sets: PolicySets) -> None:
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id)
    attach(scene, sets.write("another", PASSES))
    shown = scene.shown(run_id)
    assert shown.status == "policy_blocked"
    assert shown.overrides[0].end_reason == "The policies that judge this workspace changed."
    settling.reevaluate(run_id)
    assert scene.status(run_id) == "policy_blocked"
    scene.override(run_id)
    assert scene.status(run_id) == "awaiting_approval"


def test_policy_detached_after_an_override_the_plan_waits_by_itself(scene: Scene, sets: PolicySets) -> None:
    place = second_workspace(scene)
    attachment = attach(place, "policies/soft")
    run_id = place.at_gate()
    place.override(run_id)
    detach(place, attachment)
    settling.reevaluate(run_id)
    assert place.status(run_id) == "awaiting_approval"
    assert place.shown(run_id).verdict == "passed"
    place.approve(run_id)
    assert place.verify(place.claimed(place.child(run_id))).may_apply


def test_apply_is_refused_when_an_overridden_set_reads_otherwise_now(scene: Scene, sets: PolicySets) -> None:
    place = second_workspace(scene)
    attachment = attach(place, sets.write("moving"))
    run_id = place.at_gate()
    place.override(run_id)
    place.approve(run_id)
    job = place.claimed(place.child(run_id))
    sets.write("moving", DENIES + 'deny contains "and more"\n')
    sync(place, attachment)
    answer = place.verify(job)
    assert not answer.may_apply
    assert "nobody overrode" in answer.reason
    assert place.status(run_id) == "superseded"


def test_apply_is_refused_when_a_set_denies_that_nobody_overrode(scene: Scene, sets: PolicySets) -> None:
    run_id = scene.at_gate()
    scene.override(run_id)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    attach(scene, sets.write("newer"))
    answer = scene.verify(job)
    assert not answer.may_apply
    assert "nobody overrode" in answer.reason


def test_auto_apply_never_follows_an_override(scene: Scene) -> None:
    place = second_workspace(scene, auto_apply=True)
    attachment = attach(place, "policies/soft")
    run_id = place.at_gate()
    place.override(run_id)
    assert place.status(run_id) == "awaiting_approval"
    detach(place, attachment)
    settling.reevaluate(run_id)
    tasks.recheck()
    assert place.status(run_id) == "awaiting_approval", "a person approves what was ever overridden"
    place.approve(run_id)
    assert place.status(run_id) == "approved"


def test_reevaluation_that_finds_the_same_leaves_an_override_standing(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.override(run_id)
    settling.reevaluate(run_id)
    assert scene.status(run_id) == "awaiting_approval"
    assert scene.shown(run_id).overrides[0].ended_at is None
