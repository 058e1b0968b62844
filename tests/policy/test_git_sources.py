from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.configurations.errors import GitFetchFailed
from app.core import clock
from app.core.permissions import Actor
from app.core.schedule import BEAT_SCHEDULE
from app.core.settings import get_settings
from app.policy import looking, service, tasks
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import PolicyAttachmentIn, PolicyAttachmentOut, PolicyNewerOut
from tests.support.git_server import Repository, _Server, serving
from tests.workspaces.tenant import new_tenant

DENY = 'package mine\n\ndeny contains "no"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    return Repository(tmp_path / "repositories" / "rules.git")


@pytest.fixture
def server(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("SLUICE_GIT_PROTOCOLS", "http")
    monkeypatch.setenv("SLUICE_OUTGOING_ALLOWED", "127.0.0.1")
    monkeypatch.setenv("SLUICE_POLICY_SOURCE_CHECK_MINUTES", "60")
    get_settings.cache_clear()
    with serving(repository.directory.parent) as running:
        yield running


@pytest.fixture
def actor(session: Session) -> Actor:
    return new_tenant(session)


def _attach(session: Session, actor: Actor, server: _Server, path: str = "//net") -> PolicyAttachmentOut:
    body = {
        "policy_set_uri": f"git+http://{server.host}/rules.git{path}?ref=main",
        "enforcement_level": "hard-mandatory",
    }
    return service.attach(session, actor, PolicyAttachmentIn.model_validate(body))


def _look(later: timedelta, monkeypatch: pytest.MonkeyPatch) -> int:
    moment = clock.now() + later
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: moment)
        return looking.look_at_sources()


def _newer(session: Session, actor: Actor, attachment_id: str) -> PolicyNewerOut:
    session.expire_all()
    found = service.get_attachment(session, actor, attachment_id).newer
    assert found is not None
    return found


def test_attachment_to_git_is_pinned_to_a_commit_and_moves_by_sync_alone(
    session: Session, actor: Actor, repository: Repository, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = repository.commit({"net/mine.rego": DENY, "net/README.md": "hello", "other/x.rego": "nonsense {"})
    attached = _attach(session, actor, server)
    assert (attached.commit_id, attached.files, attached.newer) == (first, ["mine.rego"], None)

    second = repository.commit({"other/x.rego": "something else"})
    unmoved = service.sync(session, actor, attached.id)
    assert (unmoved.is_changed, unmoved.attachment.commit_id) == (False, second)

    third = repository.commit({"net/mine.rego": DENY + "# newer\n"})
    assert _look(timedelta(minutes=5), monkeypatch) == 0
    assert _look(timedelta(hours=2), monkeypatch) == 1
    newer = _newer(session, actor, attached.id)
    assert (newer.commit_id, newer.error) == (third, None)
    pinned = service.get_attachment(session, actor, attached.id)
    assert (pinned.bundle_digest, pinned.commit_id) == (attached.bundle_digest, second)

    moved = service.sync(session, actor, attached.id)
    assert (moved.is_changed, moved.attachment.commit_id, moved.attachment.newer) == (True, third, None)
    assert moved.attachment.bundle_digest == newer.bundle_digest


def test_look_at_a_source_that_is_gone_says_why_and_moves_nothing(
    session: Session, actor: Actor, repository: Repository, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"net/mine.rego": DENY})
    attached = _attach(session, actor, server)
    repository.git("branch", "--move", "main", "gone")
    assert _look(timedelta(hours=2), monkeypatch) == 0
    newer = _newer(session, actor, attached.id)
    assert (newer.bundle_digest, "main" in str(newer.error)) == (None, True)
    with pytest.raises(GitFetchFailed):
        service.sync(session, actor, attached.id)
    assert service.get_attachment(session, actor, attached.id).bundle_digest == attached.bundle_digest


def test_look_is_off_unless_it_is_asked_for(
    session: Session, actor: Actor, repository: Repository, server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"net/mine.rego": DENY})
    _attach(session, actor, server)
    asked = len(server.asked)
    monkeypatch.delenv("SLUICE_POLICY_SOURCE_CHECK_MINUTES")
    get_settings.cache_clear()
    assert _look(timedelta(days=9), monkeypatch) == 0
    assert len(server.asked) == asked
    assert tasks.LOOK in {entry["task"] for entry in BEAT_SCHEDULE.values()}


def test_git_source_that_does_not_compile_is_refused(
    session: Session, actor: Actor, repository: Repository, server: _Server
) -> None:
    repository.commit({"net/mine.rego": "package mine\ndeny contains {", "docs/x.md": "x"})
    with pytest.raises(PolicySetInvalid):
        _attach(session, actor, server)
    with pytest.raises(PolicySetInvalid, match="no .rego file"):
        _attach(session, actor, server, "//docs")
