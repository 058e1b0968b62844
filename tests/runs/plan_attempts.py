"""Attempts on plans, approvals and applies. Each arranges, yields once, attacks, and yields the codes it got."""

from dataclasses import replace

from app.core.artifacts import artifact_store
from app.core.db import unit_of_work
from app.core.errors import IntegrityError
from app.core.permissions import Permission
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from app.runs import deciding, repository, settling, tasks
from tests.factories.policies import attach
from tests.factories.scene import WORKER, Scene, new_scene, second_workspace, state_document
from tests.runs.gate_site import Codes, Site
from tests.runs.test_sweep import later
from tests.state.managed import md5, token_of


def without_approval(site: Site) -> Codes:
    scene = site.scene
    plain = scene.at_gate()
    both = second_workspace(scene, required_approvals=2)
    half = both.at_gate()
    both.approve(half)
    auto = second_workspace(scene, auto_apply=True)
    deleting = auto.at_gate(destroys=1)
    overridden = second_workspace(scene, auto_apply=True)
    attach(overridden, site.sets.write("soft"))
    lifted = overridden.at_gate()
    overridden.override(lifted)
    moving = _rollback(scene)
    yield ""
    for run_id in (plain, half, deleting, lifted, moving):
        yield site.run("apply", run_id, scene.admin)


def _rollback(scene: Scene) -> str:
    place = second_workspace(scene, auto_apply=False)
    versions = []
    for serial, names in ((1, ("a",)), (2, ("a", "b"))):
        plan = place.at_gate()
        place.approve(plan)
        job = place.claimed(place.child(plan))
        assert place.verify(job).may_apply
        versions.append(place.put_state(job, serial, names=names).state_version_id)
        place.finish(job, versions[-1])
        place.quiesce(job)
    place.change(auto_apply=True, auto_apply_allows_destroy=True)
    run_id = place.rollback(versions[0])
    job = place.claimed(run_id)
    place.settle(job)
    place.quiesce(job)
    return run_id


def of_another_organization(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    stranger = new_scene(name="rival")
    theirs = stranger.at_gate()
    yield ""
    for verb in ("approve", "override", "apply", "reject"):
        yield site.run(verb, run_id, token_of(stranger.admin))
        yield site.run(verb, theirs, site.scene.admin)


def by_nobody(site: Site) -> Codes:
    scene = site.scene
    run_id = scene.at_gate()
    gone, other = site.person(Role.ADMIN), site.person(Role.ADMIN)
    disabled, revoked = site.token(gone), site.token(other)
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, gone.id, UserChange(is_disabled=True))
        made = identity.resolve_token(session, revoked)
        assert made is not None
        identity.revoke_token(session, scene.admin, str(made.token_id))
    yield ""
    for token in (None, "", disabled, revoked, "slc_forged"):
        for verb in ("approve", "override", "apply"):
            yield site.run(verb, run_id, token)


def without_the_right(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    viewer = site.person(Role.VIEWER)
    yield ""
    yield from site.tried(run_id, "approve", "override", "apply", "reject", who=viewer)


def by_a_narrow_token(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    narrow = site.token(site.scene.approvers[0], Permission.RUNS_READ)
    yield ""
    yield from site.tried(run_id, "approve", "override", "apply", "reject", who=narrow)


def by_a_program(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    programs = [site.program(), site.program(is_agent=True)]
    yield ""
    for program in programs:
        yield from site.tried(run_id, "approve", "reject", "revoke", who=program)


def by_the_requester(site: Site) -> Codes:
    site.scene.planner = site.scene.admin
    run_id = site.scene.at_gate()
    yield ""
    yield site.run("approve", run_id, site.scene.admin)


def outside_the_team(site: Site) -> Codes:
    site.scene.change(approver_team_ids=[site.team(site.scene.approvers[0])])
    run_id = site.scene.at_gate()
    yield ""
    yield from site.tried(run_id, "approve", "reject", who=site.scene.approvers[1])


def twice_by_one(site: Site) -> Codes:
    site.scene.change(required_approvals=2)
    run_id = site.scene.at_gate()
    site.scene.approve(run_id)
    yield ""
    yield site.run("approve", run_id, site.scene.approvers[0])


def by_another_fingerprint(site: Site) -> Codes:
    scene = site.scene
    first, second = scene.at_gate(), scene.at_gate()
    other = scene.run(second).fingerprint
    attach(scene, site.sets.write("later"))
    old = scene.run(first).fingerprint
    settling.reevaluate(first)
    waiting = second_workspace(scene).at_gate()
    yield ""
    yield site.run("approve", waiting, scene.approvers[0], fingerprint=other)
    for stale in (old, other):
        yield site.run("override", first, scene.approvers[0], fingerprint=stale)


def after_the_state_moved(site: Site) -> Codes:
    scene = site.scene
    waiting = scene.at_gate()
    _, job = scene.applying()
    scene.apply_to_end(job, 4)
    yield ""
    yield site.run("approve", waiting, scene.approvers[0])


def after_a_variable_changed(site: Site) -> Codes:
    run_id, approved = site.scene.at_gate(), site.scene.approved()[0]
    site.scene.put_variable("eu")
    yield ""
    yield from site.tried(run_id, "approve", "apply", "override")
    yield from site.tried(approved, "approve")


def after_the_engine_changed(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    site.scene.change(engine_kind="terraform")
    yield ""
    yield from site.tried(run_id, "approve", "apply")


def after_a_policy_changed(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    attach(site.scene, site.sets.write("new"))
    yield ""
    yield site.run("approve", run_id, site.scene.approvers[0])


def after_fewer_approvals_were_asked(site: Site) -> Codes:
    scene = site.scene
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.approve(run_id)
    scene.change(required_approvals=1)
    yield ""
    yield site.run("apply", run_id, scene.admin)


def after_a_rule_changed(site: Site) -> Codes:
    run_id, _ = site.scene.approved()
    site.scene.change(required_approvals=2)
    yield ""
    yield from site.tried(run_id, "approve")


def with_an_approver_who_left(site: Site) -> Codes:
    scene = site.scene
    team = site.team(*scene.approvers)
    leaving = [site.person(Role.APPROVER, name=f"Leaver {number}") for number in range(3)]
    with unit_of_work() as session:
        identity.add_team_member(session, scene.admin, team, leaving[2].id)
    places = [second_workspace(scene), second_workspace(scene), second_workspace(scene, approver_team_ids=[team])]
    runs = [place.at_gate() for place in places]
    for place, run_id, actor in zip(places, runs, leaving, strict=True):
        place.approve(run_id, replace(actor, teams=frozenset({team})))
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, leaving[0].id, UserChange(is_disabled=True))
        identity.update_user(session, scene.admin, leaving[1].id, UserChange(roles=[Role.VIEWER]))
        identity.remove_team_member(session, scene.admin, team, leaving[2].id)
    yield ""
    for run_id in runs:
        yield from site.tried(run_id, "approve")


def counting_who_left(site: Site) -> Codes:
    scene = site.scene
    scene.change(required_approvals=2)
    run_id = scene.at_gate()
    scene.approve(run_id)
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, scene.approvers[0].id, UserChange(is_disabled=True))
    yield ""
    yield site.run("apply", run_id, scene.admin)


def with_an_expired_approval(site: Site) -> Codes:
    site.scene.change(approval_validity_seconds=60)
    run_id, _ = site.scene.approved()
    with later(61):
        tasks.sweep()
    yield ""
    yield from site.tried(run_id, "approve")


def losing_the_quorum_late(site: Site) -> Codes:
    scene = site.scene
    plan, apply = scene.approved()
    job = scene.claimed(apply)
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, scene.approvers[0].id, UserChange(is_disabled=True))
    yield ""
    assert not scene.verify(job).may_apply
    yield from site.tried(plan, "approve")
    yield str(scene.run(apply).reason_code)


def of_a_rejected_plan(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    site.scene.disapprove(run_id, "reject")
    site.scene.approve(run_id, site.scene.approvers[1])
    yield ""
    yield site.run("apply", run_id, site.scene.admin)


def after_a_revoke(site: Site) -> Codes:
    run_id, _ = site.scene.approved()
    site.scene.disapprove(run_id, "revoke")
    yield ""
    yield from site.tried(run_id, "approve")


def of_a_discarded_plan(site: Site) -> Codes:
    run_id = site.scene.at_gate()
    site.scene.discard(run_id)
    yield ""
    yield from site.tried(run_id, "approve", "apply", "override")


def of_a_plan_too_old(site: Site) -> Codes:
    place = second_workspace(site.scene, plan_max_age_seconds=60)
    run_id = place.at_gate()
    with later(61):
        tasks.sweep()
    yield ""
    yield from site.tried(run_id, "approve", "apply", "override")


def of_a_speculative_plan(site: Site) -> Codes:
    run_id = site.scene.request(speculative=True)
    site.scene.settle(site.scene.claimed(run_id))
    yield ""
    yield from site.tried(run_id, "approve", "apply", "override")


def of_an_empty_plan(site: Site) -> Codes:
    run_id = site.scene.at_gate(has_changes=False)
    yield ""
    yield from site.tried(run_id, "approve", "apply")


def again_when_approved(site: Site) -> Codes:
    run_id, _ = site.scene.approved()
    yield ""
    yield site.run("approve", run_id, site.scene.approvers[1])


def again_when_applied(site: Site) -> Codes:
    run_id, job = site.scene.applying()
    site.scene.apply_to_end(job)
    yield ""
    yield from site.tried(run_id, "approve", "override")


def a_destroy_without_the_right(site: Site) -> Codes:
    body = {"workspace": site.scene.workspace.id, "kind": "destroy", "configuration_id": site.scene.configuration_id}
    narrow = site.token(site.scene.planner, Permission.RUNS_PLAN)
    yield ""
    yield site.code("POST", "/terraform/runs", narrow, body)


def while_halted(site: Site) -> Codes:
    scene = site.scene
    body = {"workspace": scene.workspace.id, "configuration_id": scene.configuration_id}
    run_id = scene.at_gate()
    scene.halt()
    yield ""
    yield site.code("POST", "/terraform/runs", scene.planner, body)
    yield from site.tried(run_id, "approve", "override")


def after_the_halt(site: Site) -> Codes:
    run_id, (approved, _) = site.scene.at_gate(), site.scene.approved()
    site.scene.halt()
    site.scene.resume()
    yield ""
    yield from site.tried(run_id, "approve", "apply", "override")
    yield from site.tried(approved, "approve")


def a_replay_with_another_body(site: Site) -> Codes:
    body = {"workspace": site.scene.workspace.id, "configuration_id": site.scene.configuration_id}
    key = {"Idempotency-Key": "k1"}
    assert site.send("POST", "/terraform/runs", site.scene.planner, body, **key).status_code == 201
    yield ""
    yield site.code("POST", "/terraform/runs", site.scene.planner, {**body, "kind": "destroy"}, **key)


def a_replay(site: Site) -> Codes:
    body = {"workspace": site.scene.workspace.id, "configuration_id": site.scene.configuration_id}
    key = {"Idempotency-Key": "k1"}
    first = site.send("POST", "/terraform/runs", site.scene.planner, body, **key).json()
    yield ""
    assert site.send("POST", "/terraform/runs", site.scene.planner, body, **key).json()["id"] == first["id"]


def a_forged_message(site: Site) -> Codes:
    waiting = site.scene.at_gate()
    site.scene.settle(site.scene.claimed(site.scene.request(speculative=True)))
    yield ""
    assert site.scene.claim(waiting) is None
    assert site.scene.claim("run-forged") is None
    assert site.scene.port.claim_next(WORKER, set()) == (None, None)
    settling.reevaluate(waiting)
    settling.reevaluate("run-forged")
    with unit_of_work() as session:
        deciding.supersede_outdated(session, "run-forged")
    tasks.supersede_moved(site.scene.workspace.id)


def a_swapped_plan_file(site: Site) -> Codes:
    scene = site.scene
    other = scene.outcome(scene.claimed(scene.request(speculative=True)))
    _, apply = scene.approved()
    job = scene.claimed(apply)
    assert job.plan_file is not None
    blobs = artifact_store()._blobs
    blobs.put(job.plan_file.key, blobs.get(other.plan_file.key))
    yield ""
    try:
        scene.port.get_artifact(job.run_id, job.fencing_token, job.plan_file)
    except IntegrityError as refused:
        yield refused.code


def an_altered_plan(site: Site) -> Codes:
    scene = site.scene
    other = scene.at_gate()
    plan, apply = scene.approved()
    job = scene.claimed(apply)
    with unit_of_work() as session:
        run, source = repository.lock(session, plan), repository.by_id(session, other)
        assert run is not None
        assert source is not None
        run.artifacts = source.artifacts
    yield ""
    assert not scene.verify(job).may_apply
    yield from site.tried(plan, "approve")


def state_by_a_plan(site: Site) -> Codes:
    scene = site.scene
    job = scene.claimed(scene.request())
    password = job.backend_environment["TF_HTTP_PASSWORD"]
    document = state_document()
    yield ""
    answer = site.client.post(
        f"/terraform/state/{scene.workspace.id}",
        content=document,
        headers={"Content-Type": "application/json", "Content-MD5": md5(document)},
        auth=("engine", password),
    )
    yield str(answer.json()["code"])
