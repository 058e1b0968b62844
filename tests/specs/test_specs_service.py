from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.configurations.errors import ConfigurationNotFound, ModuleNotFound, SourceNotFetchable
from app.core import events
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.specs import service
from app.specs.errors import SpecInvalid, SpecVersionNotFound, SpecVersionsUnrelated, StackExists, StackNotFound
from app.specs.events import HeadMoved
from app.specs.models import TerraformStackSpecVersion
from app.specs.schemas import StackIn, TerraformStackSpec, validate_spec
from tests.workspaces.tenant import new_tenant


def spec(name: str = "network", **fields: Any) -> TerraformStackSpec:
    return validate_spec({"name": name, **fields})


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[HeadMoved]:
    seen: list[HeadMoved] = []
    monkeypatch.setitem(events._handlers, HeadMoved, [lambda _session, fact: seen.append(fact)])
    return seen


def test_persist_spec_new_content_adds_a_version_and_moves_the_head(
    session: Session, actor: Actor, moved: list[HeadMoved]
) -> None:
    first = service.persist_spec(spec(inputs={"a": 1}), actor=actor, message="one", session=session)
    assert first.created
    assert (first.version.number, first.version.message, first.version.created_by.name) == (1, "one", "Ada")
    assert first.stack.latest_version is not None
    assert first.stack.latest_version.id == first.version.id
    assert moved == [HeadMoved(stack_id=first.stack.id, organization_id=actor.organization_id)]


def test_persist_spec_same_content_adds_nothing_and_moves_nothing(
    session: Session, actor: Actor, moved: list[HeadMoved]
) -> None:
    first = service.persist_spec(spec(inputs={"a": 1, "b": 2}), actor=actor, session=session)
    again = service.persist_spec(spec(inputs={"b": 2, "a": 1}), actor=actor, session=session)
    assert not again.created
    assert again.version.id == first.version.id
    assert len(moved) == 1


def test_persist_spec_going_back_to_older_content_is_a_new_version(session: Session, actor: Actor) -> None:
    results = [service.persist_spec(spec(inputs={"a": n}), actor=actor, session=session) for n in (1, 2, 1)]
    assert [result.version.number for result in results] == [1, 2, 3]
    assert results[0].version.hash == results[2].version.hash
    listed = service.list_versions(session, actor.organization_id, "network", PageParams(limit=2))
    assert [version.number for version in listed.items] == [3, 2]
    rest = service.list_versions(
        session, actor.organization_id, "network", PageParams(limit=2, cursor=listed.next_cursor)
    )
    assert [version.number for version in rest.items] == [1]


def test_persist_spec_module_is_pinned_and_a_changed_module_is_a_new_version(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    source = spec(module_source="modules/network", inputs={"cidr": "10.0.0.0/16"})
    first = service.persist_spec(source, actor=actor, session=session)
    assert len(first.version.document["module_digest"]) == 64
    assert not service.persist_spec(source, actor=actor, session=session).created
    (modules_dir / "network" / "outputs.tf").write_text('output "x" { value = 1 }\n')
    second = service.persist_spec(source, actor=actor, session=session)
    assert second.created
    assert second.version.document["module_digest"] != first.version.document["module_digest"]
    old = service.persist_spec(first.version.spec(), actor=actor, session=session)
    assert old.version.document == first.version.document
    found = configurations.for_spec(session, actor, old.version.spec())
    assert found.digest == first.version.document["module_digest"]


def test_persist_spec_input_that_the_module_does_not_declare_is_refused(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    with pytest.raises(SpecInvalid) as caught:
        service.persist_spec(spec(module_source="modules/network", inputs={"cdir": "x"}), actor=actor, session=session)
    assert caught.value.fields["errors"][0]["field"] == "inputs.cdir"
    assert "cidr, names" in caught.value.detail


def test_persist_spec_source_that_leads_out_by_a_link_is_refused(
    session: Session, actor: Actor, modules_dir: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "main.tf").write_text("")
    (modules_dir / "evil").symlink_to(outside)
    with pytest.raises(ModuleNotFound, match="leads out"):
        service.persist_spec(spec(module_source="modules/evil"), actor=actor, session=session)
    with pytest.raises(ModuleNotFound, match="there are: evil, network"):
        service.persist_spec(spec(module_source="modules/nothing"), actor=actor, session=session)


@pytest.mark.parametrize("source", ["team/vpc/aws", "git::https://git.example.com/x.git"])
def test_persist_spec_remote_source_says_what_to_do_instead(session: Session, actor: Actor, source: str) -> None:
    with pytest.raises(SourceNotFetchable, match="sluice plan DIR"):
        service.persist_spec(spec(module_source=source), actor=actor, session=session)


def test_persist_spec_unknown_configuration_digest_is_refused(session: Session, actor: Actor) -> None:
    with pytest.raises(ConfigurationNotFound, match="Upload it"):
        service.persist_spec(spec(configuration_digest="b" * 64), actor=actor, session=session)


def test_add_detached_version_is_reused_by_content_and_moves_no_head(
    session: Session, actor: Actor, moved: list[HeadMoved]
) -> None:
    stack = service.create_stack(session, actor, StackIn(name="uploads"))
    first = service.add_detached_version(session, actor, stack.id, spec("uploads", inputs={"a": 1}))
    again = service.add_detached_version(session, actor, stack.id, spec("uploads", inputs={"a": 1}))
    assert first.id == again.id
    assert first.number is None
    assert moved == []
    assert service.latest_version_ids(session, [stack.id]) == {}
    assert session.scalar(select(func.count()).select_from(TerraformStackSpecVersion).filter_by(stack_id=stack.id)) == 1
    assert service.list_versions(session, actor.organization_id, stack.id, PageParams()).items == []


def test_with_configuration_keeps_inputs_and_engine_and_replaces_the_code(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    pushed = service.persist_spec(
        spec(module_source="modules/network", inputs={"cidr": "x"}, engine={"kind": "tofu"}),
        actor=actor,
        session=session,
    )
    made = pushed.version.spec().with_configuration("c" * 64)
    assert (made.configuration_digest, made.module_source, made.module_digest) == ("c" * 64, None, None)
    assert (made.inputs, made.engine.kind) == ({"cidr": "x"}, "tofu")
    assert validate_spec(made.document()) == made


def test_stack_of_another_organization_is_not_found(session: Session, actor: Actor) -> None:
    pushed = service.persist_spec(spec(), actor=actor, session=session)
    stranger = new_tenant(session)
    with pytest.raises(StackNotFound):
        service.get_stack(session, stranger.organization_id, pushed.stack.id)
    with pytest.raises(SpecVersionNotFound):
        service.version(session, stranger.organization_id, pushed.version.id)
    assert service.list_stacks(session, stranger.organization_id, PageParams()).items == []
    other = service.persist_spec(spec(), actor=stranger, session=session)
    assert other.stack.id != pushed.stack.id


def test_create_stack_taken_name_is_a_conflict(session: Session, actor: Actor) -> None:
    service.create_stack(session, actor, StackIn(name="network"))
    with pytest.raises(StackExists):
        service.create_stack(session, actor, StackIn(name="network"))


def test_diff_of_two_versions_and_of_unrelated_ones(session: Session, actor: Actor) -> None:
    a = service.persist_spec(spec(inputs={"a": 1}), actor=actor, session=session).version
    b = service.persist_spec(spec(inputs={"a": 2}), actor=actor, session=session).version
    other = service.persist_spec(spec("other"), actor=actor, session=session).version
    found = service.diff(session, actor.organization_id, a.id, b.id)
    assert [(change.path, change.before, change.after) for change in found.changes] == [("/inputs/a", 1, 2)]
    with pytest.raises(SpecVersionsUnrelated):
        service.diff(session, actor.organization_id, a.id, other.id)


def test_persist_spec_without_actor_pushes_as_sluice_in_the_operators_organization(session: Session) -> None:
    operator = new_tenant(session, is_operator=True)
    new_tenant(session)
    pushed = service.persist_spec(spec("own"))
    assert pushed.version.created_by.kind == "system"
    assert service.get_stack(session, operator.organization_id, "own").id == pushed.stack.id
