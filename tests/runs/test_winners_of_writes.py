"""Who wins when something that a decision rests on is written beside it, with real commits."""

from functools import partial
from typing import Any

import pytest

from app.core.db import unit_of_work
from app.core.errors import AppError
from app.identity import service as identity
from app.identity.schemas import UserChange
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.runs.errors import IllegalTransition, PlanMoved
from tests.factories.rounds import live, lock_holder, rounds
from tests.factories.scene import Scene, new_scene
from tests.support.races import together

pytestmark = pytest.mark.races

REAL_POLICY = "policies/no_local_exec"


@pytest.fixture
def tenant(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


def attach(scene: Scene, *, to_workspace: bool) -> None:
    body = PolicyAttachmentIn(
        policy_set_uri=REAL_POLICY,
        enforcement_level="hard-mandatory",
        workspace=scene.workspace.id if to_workspace else None,
    )
    with unit_of_work() as session:
        policy.attach(session, scene.admin, body)


def disable(scene: Scene, user_id: str, *, is_disabled: bool = True) -> None:
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, user_id, UserChange(is_disabled=is_disabled))


def test_variable_write_and_approve_nothing_stale_is_approved(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        run_id = scene.at_gate()
        approved, _ = together(partial(scene.approve, run_id), partial(scene.put_variable, "eu"), delays=delays)
        assert scene.status(run_id) == "superseded"
        assert live(scene) == []
        assert not isinstance(approved, AppError) or isinstance(approved, IllegalTransition)


def test_rule_write_and_approve_the_new_rule_holds(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        run_id = scene.at_gate()
        together(partial(scene.approve, run_id), partial(scene.change, required_approvals=2), delays=delays)
        assert scene.status(run_id) in {"awaiting_approval", "superseded"}
        assert [run for run in live(scene) if run != run_id] == []


@pytest.mark.parametrize("to_workspace", [True, False])
def test_policy_write_and_approve_the_policy_is_never_passed_by(tenant: Scene, to_workspace: bool) -> None:
    for scene, delays in rounds(tenant):
        run_id = scene.at_gate()
        approved, attached = together(
            partial(scene.approve, run_id),
            partial(attach, scene, to_workspace=to_workspace),
            delays=delays,
        )
        assert attached is None
        if isinstance(approved, AppError):
            assert isinstance(approved, PlanMoved)
            assert scene.status(run_id) == "awaiting_approval"
        else:
            # Approved before the policy was there: the apply is judged by it all the same.
            job = scene.claimed(scene.child(run_id))
            assert scene.verify(job).reason == "a policy blocks it now"
            assert scene.status(run_id) == "superseded"
        if not to_workspace:
            with unit_of_work() as session:
                held = policy.attachments_for(
                    session, organization_id=scene.organization_id, workspace_id=scene.workspace.id, tags=[]
                )
                policy.detach(session, scene.admin, held[0].id)


def test_rights_write_and_approve_who_lost_the_right_does_not_count(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        run_id = scene.at_gate()
        approver = scene.approvers[0]
        together(partial(scene.approve, run_id), partial(disable, scene, approver.id), delays=delays)
        assert scene.status(run_id) in {"awaiting_approval", "superseded"}
        assert [run for run in live(scene) if run != run_id] == []
        disable(scene, approver.id, is_disabled=False)


WRITES = {
    "variable": lambda scene: scene.put_variable("eu"),
    "rule": lambda scene: scene.change(required_approvals=2),
    "rights": lambda scene: disable(scene, scene.approvers[0].id),
}


@pytest.mark.parametrize("written", WRITES)
def test_write_and_verify_one_comes_wholly_before_the_other(tenant: Scene, written: str) -> None:
    seen = set()
    for scene, delays in rounds(tenant):
        plan, apply = scene.approved()
        job = scene.claimed(apply)
        answer, _ = together(partial(scene.verify, job), partial(WRITES[written], scene), delays=delays)
        seen.add(answer.may_apply)
        if answer.may_apply:
            assert scene.status(apply) == "running"
            assert scene.status(plan) == "approved"
            assert lock_holder(scene) == apply
        else:
            assert scene.status(apply) == scene.status(plan) == "superseded"
            assert lock_holder(scene) is None
            assert scene.run(plan).status_reason
        if written == "rights":
            disable(scene, scene.approvers[0].id, is_disabled=False)
    assert False in seen
