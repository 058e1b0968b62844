from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.configurations import service
from app.configurations.errors import (
    ConfigurationChanged,
    ConfigurationNotFound,
    ModuleNotFound,
    NoConfigurationFiles,
)
from app.configurations.models import Configuration
from app.configurations.schemas import VariableInfo
from app.core.artifacts import artifact_store
from app.core.errors import IntegrityError
from app.core.permissions import Actor
from app.core.settings import get_settings
from tests.configurations.archives import of_files
from tests.workspaces.tenant import new_tenant

FILES = {"main.tf": 'variable "a" {}\n', "envs/prod/main.tf": 'output "b" { value = 1 }\n'}


@pytest.fixture
def modules_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "modules"
    for name, text in {
        "network/main.tf": 'variable "cidr" {}\nmodule "naming" {\n  source = "../shared/naming"\n}\n',
        "shared/naming/main.tf": 'module "inner" {\n  source = "./inner"\n}\n',
        "shared/naming/inner/main.tf": "",
        "unused/main.tf": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(service, "get_settings", lambda: get_settings().model_copy(update={"modules_dir": root}))
    return root


def test_store_archive_same_content_twice_is_one_configuration(session: Session, actor: Actor) -> None:
    first = service.store_archive(session, actor, of_files(FILES, mtime=1))
    again = service.store_archive(session, actor, of_files(FILES, order=reversed(FILES), mtime=2))
    assert (first.created, again.created) == (True, False)
    assert (first.id, first.digest) == (again.id, again.digest)
    assert first.file_count == 2
    assert session.scalar(select(func.count()).select_from(Configuration)) == 1
    assert service.get(session, actor.organization_id, first.id).digest == first.digest
    assert [entry.path for entry in service.files(first)] == ["envs/prod/main.tf", "main.tf"]


def test_store_archive_is_encrypted_and_an_altered_byte_shows(session: Session, actor: Actor) -> None:
    stored = service.store_archive(session, actor, of_files({"main.tf": "# planted-words\n"}))
    path = get_settings().home / "artifacts" / stored.archive.key
    sealed = path.read_bytes()
    assert b"planted-words" not in sealed
    assert not sealed.startswith(b"\x1f\x8b")
    path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(IntegrityError):
        artifact_store().get(stored.archive)


def test_configuration_of_another_organization_is_not_found(session: Session, actor: Actor) -> None:
    stored = service.store_archive(session, actor, of_files(FILES))
    stranger = new_tenant(session)
    with pytest.raises(ConfigurationNotFound):
        service.get(session, stranger.organization_id, stored.id)
    with pytest.raises(ConfigurationNotFound):
        service.get_by_digest(session, stranger.organization_id, stored.digest)
    own = service.store_archive(session, stranger, of_files(FILES))
    assert own.created
    assert own.id != stored.id


def test_interface_is_of_the_module_path(session: Session, actor: Actor) -> None:
    stored = service.store_archive(session, actor, of_files(FILES))
    assert service.interface(stored).variables == {"a": VariableInfo(True, False)}
    assert list(service.interface(stored, "envs/prod").outputs) == ["b"]
    with pytest.raises(NoConfigurationFiles):
        service.interface(stored, "envs")


def test_from_module_holds_the_module_and_what_it_calls_and_nothing_else(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    stored = service.from_module(session, actor, "network")
    assert [entry.path for entry in service.files(stored)] == [
        "modules/network/main.tf",
        "modules/shared/naming/inner/main.tf",
        "modules/shared/naming/main.tf",
    ]
    assert stored.source == "modules/network"
    assert list(service.interface(stored, "modules/network").variables) == ["cidr"]
    (modules_dir / "unused" / "main.tf").write_text("# changed")
    assert service.from_module(session, actor, "network").id == stored.id
    (modules_dir / "shared" / "naming" / "inner" / "main.tf").write_text("# changed")
    assert service.from_module(session, actor, "network").digest != stored.digest


def test_from_module_pinned_content_is_found_although_the_module_moved_on(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    stored = service.from_module(session, actor, "network")
    (modules_dir / "network" / "main.tf").write_text("# other")
    assert service.from_module(session, actor, "network", pinned_digest=stored.digest).id == stored.id
    with pytest.raises(ConfigurationChanged):
        service.from_module(session, actor, "network", pinned_digest="f" * 64)


def test_from_module_pinned_to_an_upload_that_looks_like_it_is_refused(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    fake = service.store_archive(session, actor, of_files({"modules/network/main.tf": "# not the operator's\n"}))
    with pytest.raises(ConfigurationChanged):
        service.from_module(session, actor, "network", pinned_digest=fake.digest)


def test_from_module_same_content_uploaded_before_is_known_as_the_module(
    session: Session, actor: Actor, modules_dir: Path
) -> None:
    text = (modules_dir / "unused" / "main.tf").read_text()
    uploaded = service.store_archive(session, actor, of_files({"modules/unused/main.tf": text}))
    found = service.from_module(session, actor, "unused")
    assert (found.id, found.created, found.source) == (uploaded.id, False, "modules/unused")
    assert service.from_module(session, actor, "unused", pinned_digest=uploaded.digest).id == uploaded.id


def test_from_module_never_reads_outside_of_the_modules(
    session: Session, actor: Actor, modules_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "main.tf").write_text("")
    (modules_dir / "linked").symlink_to(tmp_path / "outside")
    (modules_dir / "unused" / "notes").symlink_to(tmp_path / "secret.txt")
    (modules_dir / "caller").mkdir()
    (modules_dir / "caller" / "main.tf").write_text('module "x" {\n  source = "../../outside"\n}\n')
    for path, words in {
        "linked": "leads out",
        "../outside": "leads out",
        "unused": "leaves the operator's modules",
        "caller": "outside of the operator's modules",
        "nothing": "there are: caller, linked, network, shared, unused",
    }.items():
        with pytest.raises(ModuleNotFound, match=words):
            service.from_module(session, actor, path)


def test_from_module_without_configuration_or_without_modules_is_refused(
    session: Session, actor: Actor, modules_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (modules_dir / "empty").mkdir()
    with pytest.raises(NoConfigurationFiles):
        service.from_module(session, actor, "empty")
    gone = get_settings().model_copy(update={"modules_dir": modules_dir / "gone"})
    monkeypatch.setattr(service, "get_settings", lambda: gone)
    with pytest.raises(ModuleNotFound, match="SLUICE_MODULES_DIR"):
        service.from_module(session, actor, "network")
