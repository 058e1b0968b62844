"""Who wins over an override, with real commits: policy changes, approvals, verification, halts, lost rights."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from app.approvals.models import TerraformOverride
from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.fence.errors import Halted
from app.identity import service as identity
from app.identity.schemas import UserChange
from app.runs import settling, tasks
from app.runs.errors import IllegalTransition, OverrideExpired, PolicyBlocked, PolicyNotBlocking
from tests.factories.policies import PolicySets, attach, sync
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.races import ROUNDS, together

pytestmark = pytest.mark.races


@pytest.fixture
def tenant(real_database: str, sent_jobs: Any, sets: PolicySets) -> Scene:
    sets.write("soft")
    return new_scene(is_operator=True)


def rounds(tenant: Scene) -> Iterator[tuple[Scene, str, tuple[float, ...]]]:
    """Yield a fresh workspace that a policy judges, its attachment, and the head starts."""
    for delays in ROUNDS:
        place = second_workspace(tenant)
        yield place, attach(place, "policies/soft"), delays


def expire(run_id: str) -> None:
    past = clock.now() - timedelta(seconds=1)
    with unit_of_work() as session:
        session.execute(update(TerraformOverride).where(TerraformOverride.run_id == run_id).values(expires_at=past))


def standing(scene: Scene, run_id: str) -> int:
    return sum(item.ended_at is None for item in scene.shown(run_id).overrides)


def test_two_overrides_one_stands(tenant: Scene) -> None:
    for scene, _, delays in rounds(tenant):
        run_id = scene.at_gate()
        answers = together(
            partial(scene.override, run_id, scene.approvers[0]),
            partial(scene.override, run_id, scene.approvers[1]),
            delays=delays,
        )
        refused = [answer for answer in answers if isinstance(answer, AppError)]
        assert [type(error) for error in refused] == [PolicyNotBlocking]
        assert standing(scene, run_id) == 1


def test_override_and_policy_change_none_stands_for_what_it_did_not_see(tenant: Scene, sets: PolicySets) -> None:
    for scene, attachment, delays in rounds(tenant):
        run_id = scene.at_gate()
        sets.write("soft", f'package {{name}}\n\ndeny contains "{scene.workspace.id}"\n')
        together(partial(scene.override, run_id), partial(sync, scene, attachment), delays=delays)
        assert scene.status(run_id) == "policy_blocked"
        assert standing(scene, run_id) == 0
        settling.reevaluate(run_id)
        assert scene.status(run_id) == "policy_blocked"


def test_expiry_and_approve_nothing_applies_by_an_override_that_is_over(tenant: Scene) -> None:
    for scene, _, delays in rounds(tenant):
        run_id = scene.at_gate()
        scene.override(run_id)
        expire(run_id)
        approved, _ = together(partial(scene.approve, run_id), tasks.sweep, delays=delays)
        assert isinstance(approved, OverrideExpired | PolicyBlocked)
        tasks.sweep()
        assert scene.status(run_id) == "policy_blocked"


def test_expiry_and_claim_and_verify_the_engine_never_starts(tenant: Scene) -> None:
    for scene, _, delays in rounds(tenant):
        run_id = scene.at_gate()
        scene.override(run_id)
        scene.approve(run_id)
        apply = scene.child(run_id)
        expire(run_id)
        job, _ = together(partial(scene.claim, apply), tasks.sweep, delays=delays)
        if job is not None:
            assert not scene.verify(job).may_apply
        assert scene.status(run_id) == "superseded"
        assert scene.run(run_id).reason_code == "override_ended"
        assert scene.status(apply) in {"cancelled", "superseded"}


def test_verify_and_lost_right_one_comes_wholly_before_the_other(tenant: Scene) -> None:
    seen = set()
    for scene, _, delays in rounds(tenant):
        overrider, approver = scene.approvers[1], scene.approvers[0]
        run_id = scene.at_gate()
        scene.override(run_id, overrider)
        scene.approve(run_id, approver)
        job = scene.claimed(scene.child(run_id))
        answer, _ = together(
            partial(scene.verify, job), partial(disable, scene, overrider.id, is_disabled=True), delays=delays
        )
        seen.add(answer.may_apply)
        assert scene.status(run_id) == ("approved" if answer.may_apply else "superseded")
        disable(scene, overrider.id, is_disabled=False)
    assert False in seen


def disable(scene: Scene, user_id: str, *, is_disabled: bool) -> None:
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, user_id, UserChange(is_disabled=is_disabled))


def test_override_and_halt_nothing_waits_afterwards(tenant: Scene) -> None:
    for scene, _, delays in rounds(tenant):
        run_id = scene.at_gate()
        overridden, _ = together(partial(scene.override, run_id), scene.halt, delays=delays)
        assert not isinstance(overridden, AppError) or isinstance(overridden, Halted | IllegalTransition)
        assert scene.status(run_id) == "cancelled"
        assert scene.run(run_id).halted
        scene.resume()


def test_two_approvals_of_an_overridden_plan_are_one_apply(tenant: Scene) -> None:
    for scene, _, delays in rounds(tenant):
        run_id = scene.at_gate()
        scene.override(run_id)
        answers = together(
            partial(scene.approve, run_id, scene.approvers[0]),
            partial(scene.approve, run_id, scene.approvers[1]),
            delays=delays,
        )
        codes = [answer.code for answer in answers if isinstance(answer, AppError)]
        assert codes == ["already_approved"]
        assert scene.child(run_id)
