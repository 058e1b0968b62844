import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.schemas import AuditFilter
from app.core import events
from app.core.db import unit_of_work
from app.core.errors import NotFound
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.core.settings import Settings, get_settings
from app.policy import service, sources
from app.policy.errors import (
    PolicyAttachmentExists,
    PolicyAttachmentInvalid,
    PolicyAttachmentNotFound,
    PolicySetInvalid,
    PolicySetNotFound,
    PolicySetUriRefused,
)
from app.policy.schemas import PoliciesMoved, PolicyAttachmentIn, PolicyAttachmentOut
from app.specs import service as specs
from app.specs.schemas import StackIn
from app.workspaces import service as workspaces
from app.workspaces.schemas import NewWorkspace
from tests.workspaces.tenant import new_tenant

DENY = 'package example\n\ndeny contains "no" if input.a == 1\n'
URI = "policies/example"


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policies directory of the test's own, with one set."""
    root = tmp_path / "policies"
    (root / "example").mkdir(parents=True)
    (root / "example" / "policy.rego").write_text(DENY)
    settings = Settings(policies_dir=root)
    monkeypatch.setattr(service, "get_settings", lambda: settings)
    monkeypatch.setattr(sources, "get_settings", lambda: settings)
    return root


@pytest.fixture
def actor(session: Session) -> Actor:
    return new_tenant(session)


@pytest.fixture
def workspace(session: Session, actor: Actor) -> str:
    return _workspace(session, actor, "prod")


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> list[PoliciesMoved]:
    heard: list[PoliciesMoved] = []
    monkeypatch.setattr(events, "_handlers", {PoliciesMoved: [lambda _session, fact: heard.append(fact)]})
    return heard


def _workspace(session: Session, actor: Actor, name: str, tags: tuple[str, ...] = ("net",)) -> str:
    stack = specs.create_stack(session, actor, StackIn(name=f"{name}-stack"))
    return workspaces.create(session, actor, NewWorkspace(name=name, stack=stack.id, tags=list(tags))).id


def _attach(session: Session, actor: Actor, **fields: object) -> PolicyAttachmentOut:
    values = {"policy_set_uri": URI, "enforcement_level": "hard-mandatory", **fields}
    return service.attach(session, actor, PolicyAttachmentIn.model_validate(values))


def _uris(session: Session, actor: Actor, workspace_id: str, *tags: str) -> list[str]:
    found = service.attachments_for(
        session, organization_id=actor.organization_id, workspace_id=workspace_id, tags=list(tags)
    )
    return [item.id for item in found]


def test_attach_pins_tells_and_audits(
    session: Session, actor: Actor, workspace: str, policies: Path, facts: list[PoliciesMoved]
) -> None:
    made = _attach(session, actor, workspace="prod")
    assert (made.hard_mandatory, made.tag, made.files) == (True, None, ["policy.rego"])
    assert made.workspace is not None
    assert (made.workspace.id, made.workspace.name) == (workspace, "prod")
    assert facts == [PoliciesMoved(actor.organization_id, workspace)]
    (event,) = audit.list_events(session, actor.organization_id, AuditFilter(action="policy.*"), PageParams()).items
    assert (event.action, event.target.id) == ("policy.attached", made.id)
    assert event.evidence["bundle_digest"] == made.bundle_digest


def test_attachments_for_gathers_workspace_tag_and_organization(
    session: Session, actor: Actor, workspace: str, policies: Path
) -> None:
    other = _workspace(session, actor, "dev", ())
    own = _attach(session, actor, workspace=workspace)
    tagged = _attach(session, actor, tag="net")
    everywhere = _attach(session, actor)
    assert _uris(session, actor, workspace, "net") == [own.id, tagged.id, everywhere.id]
    assert _uris(session, actor, other) == [everywhere.id]
    stranger = new_tenant(session)
    assert _uris(session, stranger, workspace, "net") == []


def test_attachments_for_gives_what_check_needs(session: Session, actor: Actor, workspace: str, policies: Path) -> None:
    _attach(session, actor, workspace=workspace)
    pinned = service.attachments_for(
        session, organization_id=actor.organization_id, workspace_id=workspace, tags=["net"]
    )
    # What is pinned counts, not what lies in the directory by now.
    (policies / "example" / "policy.rego").write_text("package example\n\ndeny := set()\n")
    report = service.check(pinned, {"a": 1})
    assert (report.verdict, report.results[0].outcome) == ("blocked_hard", "failed")
    assert pinned[0].files == {"policy.rego": DENY}


def test_checks_stored_are_read_back_with_the_same_digest(
    session: Session, actor: Actor, workspace: str, policies: Path
) -> None:
    _attach(session, actor, workspace=workspace)
    pinned = service.attachments_for(session, organization_id=actor.organization_id, workspace_id=workspace, tags=[])
    report = service.check(pinned, {"a": 1})
    service.store_checks(session, actor.organization_id, "run-1", "plan", report)
    found = service.checks_of(session, ["run-1", "run-2"])
    assert list(found) == ["run-1"]
    (check,) = found["run-1"]
    assert (check.outcome, check.stage, check.findings[0].message) == ("failed", "plan", "no")
    assert service.results_digest(found["run-1"]) == service.results_digest(report)


def test_checks_of_a_later_evaluation_take_the_place_of_the_earlier(
    session: Session, actor: Actor, workspace: str, policies: Path
) -> None:
    made = _attach(session, actor, workspace=workspace)
    pinned = service.attachments_for(session, organization_id=actor.organization_id, workspace_id=workspace, tags=[])
    service.store_checks(session, actor.organization_id, "run-1", "plan", service.check(pinned, {"a": 1}))
    again = service.check(pinned, {"a": 2})
    service.store_checks(session, actor.organization_id, "run-1", "plan", again)
    service.store_checks(session, actor.organization_id, "run-1", "apply", again)
    found = service.checks_of(session, ["run-1"])["run-1"]
    assert [(check.stage, check.outcome) for check in found] == [("plan", "passed"), ("apply", "passed")]
    service.detach(session, actor, made.id)
    service.store_checks(session, actor.organization_id, "run-1", "plan", service.check([], {}))
    assert [check.stage for check in service.checks_of(session, ["run-1"])["run-1"]] == ["apply"]
    trail = audit.list_events(session, actor.organization_id, AuditFilter(action="policy.checked"), PageParams()).items
    assert [event.evidence["verdict"] for event in trail] == ["passed", "passed", "passed", "blocked_hard"]


def test_attach_twice_to_the_same_target_refused(
    session: Session, actor: Actor, workspace: str, policies: Path
) -> None:
    first = _attach(session, actor, workspace=workspace)
    with pytest.raises(PolicyAttachmentExists) as refused:
        _attach(session, actor, workspace="prod", enforcement_level="advisory", policy_set_uri=f"./{URI}/")
    assert refused.value.fields["attachment_id"] == first.id
    _attach(session, actor, tag="prod")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"workspace": "prod", "tag": "x"}, PolicyAttachmentInvalid),
        ({"enforcement_level": "soft-mandatory", "waives_unevaluable": True}, PolicyAttachmentInvalid),
        ({"workspace": "missing"}, NotFound),
        ({"policy_set_uri": "policies/none"}, PolicySetNotFound),
        ({"policy_set_uri": "git::https://example.org/x"}, PolicySetUriRefused),
        ({"policy_set_uri": "policies/broken"}, PolicySetInvalid),
    ],
)
def test_attach_what_can_not_work_is_refused(
    session: Session, actor: Actor, workspace: str, policies: Path, fields: dict[str, object], error: type[Exception]
) -> None:
    (policies / "broken").mkdir()
    (policies / "broken" / "policy.rego").write_text("package broken\n\ndeny contains {\n")
    with pytest.raises(error):
        _attach(session, actor, **fields)
    assert service.list_attachments(session, actor, PageParams()).items == []


def test_sync_pins_again_only_what_moved(
    session: Session, actor: Actor, workspace: str, policies: Path, facts: list[PoliciesMoved]
) -> None:
    made = _attach(session, actor, tag="net")
    facts.clear()
    assert not service.sync(session, actor, made.id).is_changed
    assert facts == []
    (policies / "example" / "policy.rego").write_text(DENY.replace("== 1", "== 2"))
    answer = service.sync(session, actor, made.id)
    assert answer.is_changed
    assert answer.attachment.bundle_digest != made.bundle_digest
    assert facts == [PoliciesMoved(actor.organization_id, None)]
    (policies / "example" / "policy.rego").write_text("package example\n")
    with pytest.raises(PolicySetInvalid):
        service.sync(session, actor, made.id)
    assert service.get_attachment(session, actor, made.id).bundle_digest == answer.attachment.bundle_digest


def test_detach_ends_it_and_tells(
    session: Session, actor: Actor, workspace: str, policies: Path, facts: list[PoliciesMoved]
) -> None:
    made = _attach(session, actor)
    facts.clear()
    service.detach(session, actor, made.id)
    assert facts == [PoliciesMoved(actor.organization_id, None)]
    assert _uris(session, actor, workspace) == []
    for verb in (service.detach, service.sync, service.get_attachment):
        with pytest.raises(PolicyAttachmentNotFound):
            verb(session, actor, made.id)
    _attach(session, actor)


def test_attachment_of_another_organization_is_not_found(session: Session, actor: Actor, policies: Path) -> None:
    made = _attach(session, actor)
    stranger = new_tenant(session)
    with pytest.raises(PolicyAttachmentNotFound):
        service.get_attachment(session, stranger, made.id)
    assert service.list_attachments(session, stranger, PageParams()).items == []


def test_list_by_workspace_gives_what_binds_it(session: Session, actor: Actor, workspace: str, policies: Path) -> None:
    _workspace(session, actor, "dev", ())
    own = _attach(session, actor, workspace="prod")
    tagged = _attach(session, actor, tag="net")
    everywhere = _attach(session, actor)

    def ids(name: str | None) -> list[str]:
        return [item.id for item in service.list_attachments(session, actor, PageParams(), name).items]

    assert ids("prod") == [everywhere.id, tagged.id, own.id]
    assert ids("dev") == [everywhere.id]
    assert len(ids(None)) == 3
    page = service.list_attachments(session, actor, PageParams(limit=2))
    assert page.next_cursor is not None


def test_policy_sets_lists_the_directory(session: Session, actor: Actor, policies: Path) -> None:
    (found,) = service.policy_sets(session, actor)
    assert (found.uri, found.packages, found.error) == (URI, ["example"], None)


@pytest.mark.races
@pytest.mark.parametrize("target", ["workspace", "organization"])
def test_attach_waits_for_whoever_holds_the_lock_shared(real_database: str, target: str) -> None:
    with unit_of_work() as session:
        actor = new_tenant(session)
        workspace_id = _workspace(session, actor, "prod")
    uri = "policies/blast_radius"
    done = threading.Event()

    def attach() -> None:
        with unit_of_work() as session:
            _attach(session, actor, policy_set_uri=uri, workspace=workspace_id if target == "workspace" else None)
        done.set()

    with unit_of_work() as holder:
        if target == "workspace":
            workspaces.lock_share(holder, workspace_id)
        else:
            holder.execute(text("select 1 from fences where id = :id for share"), {"id": actor.organization_id})
        thread = threading.Thread(target=attach)
        thread.start()
        assert not done.wait(0.7)
        with unit_of_work() as reader:
            assert _uris(reader, actor, workspace_id) == []
    thread.join(20)
    assert done.is_set()
    with unit_of_work() as session:
        assert len(_uris(session, actor, workspace_id)) == 1


def test_policies_directory_of_the_checkout_is_the_default() -> None:
    assert get_settings().policies_dir == Path("policies")
