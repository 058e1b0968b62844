from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.core import events
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.fence import service as fence
from app.fence.models import Fence
from app.identity.models import Team
from app.specs import service as specs
from app.specs.errors import StackNotFound
from app.specs.schemas import PushAnswer, validate_spec
from app.workspaces import service
from app.workspaces.errors import WorkspaceExists, WorkspaceHalted, WorkspaceNotFound
from app.workspaces.schemas import (
    ApprovalRulesChanged,
    EnginePinChanged,
    NewWorkspace,
    TagsChanged,
    WorkspaceChange,
    WorkspaceDeleting,
    WorkspaceFilter,
    WorkspaceHeadMoved,
    WorkspaceOut,
)
from tests.workspaces.tenant import new_tenant


def test_create_workspace_has_a_fence_the_head_and_four_eyes(
    session: Session, actor: Actor, pushed: PushAnswer, workspace: WorkspaceOut
) -> None:
    assert workspace.head is not None
    assert (workspace.head.id, workspace.head.number) == (pushed.version.id, 1)
    assert (workspace.required_approvals, workspace.requester_may_approve, workspace.auto_apply) == (1, False, False)
    assert workspace.stack.name == "network"
    fence.hold_shared(session, actor.organization_id, workspace.id)
    assert service.get(session, actor.organization_id, "prod-network") == workspace
    recorded = session.scalars(select(AuditEvent).filter_by(target_id=workspace.id)).one()
    assert (recorded.action, recorded.actor["name"]) == ("workspace.created", "Ada")


@pytest.mark.parametrize("name", ["", "Prod", "a b", "-a", "a-", "x" * 91, "a/b", "a\n"])
def test_create_workspace_wrong_name_says_what_is_right(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case letters"):
        NewWorkspace(name=name, stack="network")


def test_create_workspace_taken_name_or_unknown_stack_is_refused(
    session: Session, actor: Actor, workspace: WorkspaceOut
) -> None:
    with pytest.raises(WorkspaceExists):
        service.create(session, actor, NewWorkspace(name="prod-network", stack="network"))
    with pytest.raises(StackNotFound):
        service.create(session, actor, NewWorkspace(name="other", stack="nothing"))


@pytest.mark.parametrize(
    "rules",
    [
        {"required_approvals": 2},
        {"requester_may_approve": True},
        {"auto_apply": True},
        {"auto_apply_allows_destroy": True},
        {"plan_max_age_seconds": 3600},
    ],
)
def test_rules_of_the_gate_need_their_own_right(
    session: Session, operator: Actor, workspace: WorkspaceOut, rules: dict[str, Any]
) -> None:
    with pytest.raises(Forbidden) as caught:
        service.create(session, operator, NewWorkspace(name="sneaky", stack="network", **rules))
    assert caught.value.fields["permission"] == "workspaces:rules"
    with pytest.raises(Forbidden):
        service.change(session, operator, workspace.id, WorkspaceChange(**rules))
    assert service.create(session, operator, NewWorkspace(name="plain", stack="network")).required_approvals == 1


def test_change_same_rules_again_needs_no_right_and_tells_nobody(
    session: Session, operator: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    same = WorkspaceChange(required_approvals=1, requester_may_approve=False, plan_max_age_seconds=None)
    assert service.change(session, operator, workspace.id, same) == workspace
    assert facts == []


def test_change_tag_taken_away_needs_the_right_since_policies_bind_to_tags(
    session: Session, actor: Actor, operator: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    more = service.change(session, operator, workspace.id, WorkspaceChange(tags=["prod", "eu"]))
    assert more.tags == ["eu", "prod"]
    with pytest.raises(Forbidden):
        service.change(session, operator, workspace.id, WorkspaceChange(tags=["eu"]))
    assert service.change(session, actor, workspace.id, WorkspaceChange(tags=["eu"])).tags == ["eu"]
    assert facts == [TagsChanged(actor.organization_id, workspace.id)] * 2


def test_change_rules_and_pin_are_told_and_recorded(
    session: Session, actor: Actor, workspace: WorkspaceOut, pushed: PushAnswer, facts: list[events.Fact]
) -> None:
    second = specs.persist_spec(validate_spec({"name": "network", "inputs": {"a": 2}}), actor=actor, session=session)
    pinned = service.change(session, actor, workspace.id, WorkspaceChange(pinned_version_id=pushed.version.id))
    assert pinned.head is not None
    assert pinned.head.id == pushed.version.id
    assert service.following_head(session, workspace.stack.id) == []
    freed = service.change(session, actor, workspace.id, WorkspaceChange(pinned_version_id=None))
    assert freed.head is not None
    assert freed.head.id == second.version.id
    service.change(session, actor, workspace.id, WorkspaceChange(required_approvals=2, description="two"))
    organization = actor.organization_id
    assert facts == [
        WorkspaceHeadMoved(organization, workspace.id),
        WorkspaceHeadMoved(organization, workspace.id),
        ApprovalRulesChanged(organization, workspace.id),
    ]
    last = session.scalars(
        select(AuditEvent).filter_by(target_id=workspace.id).order_by(AuditEvent.id.desc()).limit(1)
    ).one()
    assert last.evidence["required_approvals"] == {"before": 1, "after": 2}


def test_change_pin_to_a_version_that_is_no_pushed_one_of_the_stack_is_refused(
    session: Session, actor: Actor, workspace: WorkspaceOut
) -> None:
    other = specs.persist_spec(validate_spec({"name": "other"}), actor=actor, session=session)
    with pytest.raises(Invalid, match="another stack"):
        service.change(session, actor, workspace.id, WorkspaceChange(pinned_version_id=other.version.id))
    detached = specs.add_detached_version(session, actor, workspace.stack.id, validate_spec({"name": "network"}))
    with pytest.raises(Invalid, match="never pushed"):
        service.change(session, actor, workspace.id, WorkspaceChange(pinned_version_id=detached.id))


def test_change_approver_teams_of_another_organization_are_refused(
    session: Session, actor: Actor, workspace: WorkspaceOut
) -> None:
    stranger = new_tenant(session)
    session.add(Team(id="team-own", organization_id=actor.organization_id, name="platform"))
    session.add(Team(id="team-other", organization_id=stranger.organization_id, name="theirs"))
    session.flush()
    changed = service.change(session, actor, workspace.id, WorkspaceChange(approver_team_ids=["team-own"]))
    assert [(team.id, team.name) for team in changed.approver_teams] == [("team-own", "platform")]
    with pytest.raises(Invalid, match="team-other"):
        service.change(session, actor, workspace.id, WorkspaceChange(approver_team_ids=["team-other"]))


def test_workspace_of_another_organization_is_not_found(session: Session, workspace: WorkspaceOut) -> None:
    stranger = new_tenant(session)
    with pytest.raises(WorkspaceNotFound):
        service.get(session, stranger.organization_id, workspace.id)
    with pytest.raises(WorkspaceNotFound):
        service.change(session, stranger, workspace.id, WorkspaceChange(description="x"))
    with pytest.raises(WorkspaceNotFound):
        service.delete(session, stranger, workspace.name)
    assert service.page(session, stranger.organization_id, WorkspaceFilter(), PageParams()) == ([], None)


def test_delete_workspace_takes_its_fence_and_asks_who_depends_on_it(
    session: Session, actor: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    service.delete(session, actor, workspace.name)
    assert facts == [WorkspaceDeleting(actor.organization_id, workspace.id)]
    assert session.get(Fence, workspace.id) is None
    with pytest.raises(WorkspaceNotFound):
        service.get(session, actor.organization_id, workspace.id)


def test_delete_workspace_is_refused_by_a_subscriber_and_by_a_halt(
    session: Session, actor: Actor, workspace: WorkspaceOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy(Conflict):
        code = "busy"

    def veto(_session: Session, _fact: events.Fact) -> None:
        raise Busy("It holds resources.")

    monkeypatch.setitem(events._handlers, WorkspaceDeleting, [veto])
    with pytest.raises(Busy):
        service.delete(session, actor, workspace.id)
    monkeypatch.setitem(events._handlers, WorkspaceDeleting, [])
    fence.raise_fence(session, workspace.id, halt_id="halt-1", actor=actor, reason="drill")
    with pytest.raises(WorkspaceHalted):
        service.delete(session, actor, workspace.id)
    assert service.get(session, actor.organization_id, workspace.id).id == workspace.id


def test_page_is_by_name_and_filtered(session: Session, actor: Actor, workspace: WorkspaceOut) -> None:
    for name, tags in [("alpha", ["eu"]), ("beta_x", ["prod", "eu"]), ("betaax", [])]:
        service.create(session, actor, NewWorkspace(name=name, stack="network", tags=tags))
    everything, cursor = service.page(session, actor.organization_id, WorkspaceFilter(), PageParams(limit=3))
    assert [item.name for item in everything] == ["alpha", "beta_x", "betaax"]
    rest, end = service.page(session, actor.organization_id, WorkspaceFilter(), PageParams(limit=3, cursor=cursor))
    assert ([item.name for item in rest], end) == (["prod-network"], None)

    def names(**wanted: str) -> list[str]:
        found, _ = service.page(session, actor.organization_id, WorkspaceFilter(**wanted), PageParams())
        return [item.name for item in found]

    assert names(tag="prod") == ["beta_x", "prod-network"]
    assert names(search="BETA_") == ["beta_x"]
    assert service.counts_by_stack(session, [workspace.stack.id]) == {workspace.stack.id: 4}


def test_change_engine_pin_is_told_and_written_one_way(
    session: Session, actor: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    changed = service.change(session, actor, workspace.id, WorkspaceChange(engine_version=">=1.6 ,  <2"))
    service.change(session, actor, workspace.id, WorkspaceChange(engine_version=">=1.6, <2"))
    freed = service.change(session, actor, workspace.id, WorkspaceChange(engine_version=None))
    assert (changed.engine_version, freed.engine_version) == (">=1.6, <2", None)
    assert facts == [EnginePinChanged(actor.organization_id, workspace.id)] * 2


@pytest.mark.parametrize("version", ["newest", "1.12.6 or later", ">= x", "1.2.3; rm", ""])
def test_change_engine_pin_that_is_no_constraint_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        WorkspaceChange(engine_version=version)
