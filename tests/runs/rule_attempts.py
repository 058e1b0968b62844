"""Attempts on policies, overrides and rules; as ``plan_attempts``."""

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from app.approvals.models import TerraformOverride
from app.core import clock
from app.core.db import unit_of_work
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.runs import tasks
from tests.factories.policies import DENIES, FAILS, PASSES, attach
from tests.factories.scene import Scene, second_workspace
from tests.runs.gate_site import Codes, Site


def blocked(site: Site, level: Any = "soft-mandatory", rego: str = DENIES) -> tuple[Scene, str]:
    """Return a workspace with a plan that a policy blocks."""
    place = second_workspace(site.scene)
    attach(place, site.sets.write(f"{level.partition('-')[0]}{len(rego)}", rego), level)
    run_id = place.at_gate()
    assert place.status(run_id) == "policy_blocked"
    return place, run_id


def of_a_blocked_plan(site: Site) -> Codes:
    runs = [blocked(site, level)[1] for level in ("soft-mandatory", "hard-mandatory")]
    yield ""
    for run_id in runs:
        yield from site.tried(run_id, "approve", "apply")


def overriding_one_s_own(site: Site) -> Codes:
    site.scene.planner = site.scene.admin
    place, run_id = blocked(site)
    place.change(requester_may_approve=True)
    yield ""
    yield site.run("override", run_id, site.scene.admin)


def overriding_as_a_program(site: Site) -> Codes:
    _, run_id = blocked(site)
    programs = [site.program(), site.program(is_agent=True)]
    yield ""
    for program in programs:
        yield site.run("override", run_id, program)


def overriding_without_a_reason(site: Site) -> Codes:
    _, run_id = blocked(site)
    yield ""
    for reason in ("", "   "):
        yield site.run("override", run_id, site.scene.admin, reason=reason)


def overriding_for_ever(site: Site) -> Codes:
    _, run_id = blocked(site)
    yield ""
    yield site.run("override", run_id, site.scene.admin, expires_in_seconds=8 * 86_400)


def overriding_what_can_not_be(site: Site) -> Codes:
    runs = [blocked(site, "hard-mandatory")[1], blocked(site, "soft-mandatory", FAILS)[1]]
    yield ""
    for run_id in runs:
        yield site.run("override", run_id, site.scene.admin)


def overriding_ahead(site: Site) -> Codes:
    runs = [site.scene.at_gate(), site.scene.approved()[0]]
    yield ""
    for run_id in runs:
        yield site.run("override", run_id, site.scene.admin)


def _expire(run_id: str) -> None:
    past = clock.now() - timedelta(seconds=1)
    with unit_of_work() as session:
        session.execute(update(TerraformOverride).where(TerraformOverride.run_id == run_id).values(expires_at=past))


def by_an_expired_override(site: Site) -> Codes:
    place, run_id = blocked(site)
    place.override(run_id)
    _expire(run_id)
    yield ""
    yield site.run("approve", run_id, site.scene.approvers[0])


def by_a_lost_override(site: Site) -> Codes:
    place, expired = blocked(site)
    lost, left = place.at_gate(), site.person(Role.APPROVER)
    for run_id, actor in ((expired, site.scene.approvers[1]), (lost, left)):
        place.override(run_id, actor)
        place.approve(run_id)
    _expire(expired)
    tasks.sweep()
    with unit_of_work() as session:
        identity.update_user(session, site.scene.admin, left.id, UserChange(is_disabled=True))
    yield ""
    for run_id in (expired, lost):
        yield from site.tried(run_id, "approve", "override")


def taking_a_tag_away(site: Site) -> Codes:
    place = second_workspace(site.scene, tags=["prod"])
    uri = site.sets.write("tagged")
    with unit_of_work() as session:
        wanted = PolicyAttachmentIn(policy_set_uri=uri, enforcement_level="hard-mandatory", tag="prod")
        policy.attach(session, site.scene.admin, wanted)
    run_id = place.at_gate()
    assert place.status(run_id) == "policy_blocked"
    operator = site.person(Role.OPERATOR)
    yield ""
    yield site.code("PATCH", f"/terraform/workspaces/{place.workspace.id}", operator, {"tags": []})
    yield site.code("PATCH", f"/terraform/workspaces/{place.workspace.id}", operator, {"tags": ["dev"]})


def rules_by_a_program(site: Site) -> Codes:
    place = second_workspace(site.scene, tags=["prod"], required_approvals=2)
    programs = [site.program(), site.program(is_agent=True)]
    yield ""
    for program in programs:
        for change in (
            {"required_approvals": 1},
            {"requester_may_approve": True},
            {"auto_apply": True},
            {"approval_validity_seconds": None, "approver_team_ids": [], "required_approvals": 1},
            {"tags": []},
        ):
            yield site.code("PATCH", f"/terraform/workspaces/{place.workspace.id}", program, change)


def policies_by_a_program(site: Site) -> Codes:
    attachment = attach(site.scene, site.sets.write("strict"), "hard-mandatory")
    site.sets.write("strict", PASSES)
    programs = [site.program(), site.program(is_agent=True)]
    yield ""
    for program in programs:
        yield site.code("DELETE", f"/terraform/policy-attachments/{attachment}", program)
        yield site.code("POST", f"/terraform/policy-attachments/{attachment}/sync", program)
