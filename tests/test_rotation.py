"""Master keys: added, everything sealed anew, the old one removed, while old data stays readable throughout."""

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import registry, rotation
from app.core import artifacts
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.crypto import Binding, KeyFile, MasterKeyError, create_key_file, key_file, key_ring
from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.core.settings import get_settings
from app.embedded import keys as embedded_keys
from app.notifications import service as notifications
from app.notifications.schemas import DestinationIn
from app.progress import service as progress
from app.progress.schemas import NewRecord
from app.recovery import service as recovery
from app.recovery import subscribers as recovery_subscribers
from app.runner.port import ApplyStep, ApplySteps
from app.runs.events import ApplyStepsCame
from app.state import service as state
from app.workspaces import service as workspaces
from tests.factories import recovery as recovery_factory
from tests.factories.scene import Scene, new_scene, state_document
from tests.support import object_stores


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory with a key file, which this process reads its keys from."""

    def forget() -> None:
        for cached in (get_settings, key_ring, artifacts._configured_store):
            cached.cache_clear()

    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    monkeypatch.delenv("SLUICE_MASTER_KEY")
    create_key_file(tmp_path)
    forget()
    yield tmp_path
    monkeypatch.undo()
    forget()


@pytest.fixture
def scene(home: Path, session: Session) -> Scene:
    """One of everything that is sealed: a variable, progress, a plan, a state, one in quarantine, a recovery list."""
    made = new_scene()
    made.put_variable("planted", sensitive=True)
    _, job = made.applying()
    made.put_state(job, serial=3)
    made.put_state(job, serial=1)
    with unit_of_work() as opened:
        progress.append(opened, job.run_id, [NewRecord(at=made.workspace.created_at, kind="line", text="hello")])
        steps = ApplySteps(steps=(ApplyStep(address="aws_sqs_queue.orders", action="create", outcome="started"),))
        came = ApplyStepsCame(made.organization_id, made.workspace.id, job.run_id, steps)
        recovery_subscribers.on_apply_steps_came(opened, came)
        recovery_factory.item(opened, made.organization_id, made.workspace.id, job.run_id)
        hook = {"name": "hook", "url": "https://hooks.example.org/secret", "events": ["waiting"]}
        notifications.create(opened, made.admin, DestinationIn.model_validate(hook))
    made.quiesce(job)
    return made


def read_everything(session: Session, scene: Scene) -> tuple[object, ...]:
    session.expire_all()
    (version,) = session.execute(text("SELECT id FROM terraform_state_versions")).scalars()
    (quarantined,) = session.execute(text("SELECT id FROM terraform_quarantined_states")).scalars()
    run_id = session.execute(text("SELECT run_id FROM progress_chunks ORDER BY created_at DESC")).scalars().first()
    page = progress.read(session, str(run_id), organization_id=scene.organization_id, after=0)
    plans = session.execute(text("SELECT artifacts->'plan_file' FROM terraform_runs WHERE artifacts ? 'plan_file'"))
    return (
        state.content(session, scene.organization_id, version),
        state.download_quarantined(session, scene.admin, quarantined),
        [variable.value for variable in workspaces.variables_for_run(session, scene.workspace.id)],
        [record.text for record in page.records],
        [item.resource_id for item in recovery.page(session, scene.admin, PageParams()).items],
        [artifact_store().get(ArtifactRef.model_validate(found)) for found in plans.scalars()],
    )


def test_rotation_keeps_everything_readable_and_frees_the_old_key(session: Session, home: Path, scene: Scene) -> None:
    before = read_everything(session, scene)
    assert before[0] == state_document(3)
    assert before[2] == ["planted"]
    added = rotation.add()
    assert added.startswith("k2-")
    assert key_ring().ids == (added, "k1")
    assert read_everything(session, scene) == before
    with pytest.raises(rotation.KeyInUse, match="reencrypt"):
        rotation.remove("k1")
    report = rotation.reencrypt()
    assert report.damaged == []
    assert {place for place, count in report.resealed.items() if count} == {
        column.name for column in registry.SEALED
    } | {"artifacts"}
    assert rotation.usage()["k1"] == 0
    rotation.remove("k1")
    assert not any(line.startswith("k1") for line in key_file(home).read_text().splitlines())
    assert key_ring().ids == (added,)
    assert read_everything(session, scene) == before


@pytest.fixture
def on_s3(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Artifacts in an object store instead of a directory."""
    with object_stores.running_s3(tmp_path_factory.mktemp("s3")) as store:
        for name, value in {**store.environment, "SLUICE_ARTIFACTS_URL": store.url}.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        yield


@pytest.mark.processes
def test_rotation_reaches_artifacts_in_an_object_store(on_s3: None, session: Session, home: Path, scene: Scene) -> None:
    before = read_everything(session, scene)
    rotation.add()
    assert read_everything(session, scene) == before
    with pytest.raises(rotation.KeyInUse, match="artifacts"):
        rotation.remove("k1")
    report = rotation.reencrypt()
    assert report.damaged == []
    assert report.resealed["artifacts"] > 0
    rotation.remove("k1")
    assert read_everything(session, scene) == before
    assert not (home / "artifacts").exists()


def test_reencrypt_again_has_nothing_to_do(scene: Scene) -> None:
    rotation.add()
    rotation.reencrypt()
    assert set(rotation.reencrypt().resealed.values()) == {0}


def test_reencrypt_in_small_batches_reaches_everything(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 1)
    rotation.add()
    rotation.reencrypt()
    assert rotation.usage()["k1"] == 0


def test_reencrypt_names_what_is_damaged_and_goes_on(session: Session, scene: Scene) -> None:
    session.execute(text("UPDATE terraform_variable_versions SET sealed_value = substring(sealed_value from 1 for 30)"))
    session.commit()
    rotation.add()
    report = rotation.reencrypt()
    assert len(report.damaged) == 1
    assert "terraform_variable_versions" in report.damaged[0]
    assert report.resealed["terraform_state_chunks.sealed"] > 0
    with pytest.raises(rotation.KeyInUse, match="terraform_variable_versions"):
        rotation.remove("k1")


def test_present_key_and_unknown_keys_are_never_removed(scene: Scene) -> None:
    with pytest.raises(rotation.KeyInUse, match="seals now"):
        rotation.remove("k1")
    with pytest.raises(MasterKeyError, match="no key"):
        rotation.remove("k9")


def test_running_process_takes_up_a_key_that_another_added(home: Path) -> None:
    ring, binding = key_ring(), Binding("org", "kind", "owner")
    old = ring.seal(b"old", binding)
    file = KeyFile(key_file(home))
    file.write({"k7": secrets.token_bytes(32), **file.read()})
    assert b"k7" in ring.seal(b"new", binding)[:10]
    assert ring.open(old, binding) == b"old"


def test_keys_of_a_variable_are_the_operators_to_change(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_MASTER_KEY", f"a:{base64.b64encode(secrets.token_bytes(32)).decode()}")
    get_settings.cache_clear()
    with pytest.raises(MasterKeyError, match="SLUICE_MASTER_KEY"):
        rotation.add()


def test_start_after_a_rotation_accepts_the_new_key(home: Path) -> None:
    embedded_keys.ensure(get_settings(), has_data=False)
    added = rotation.add()
    embedded_keys.reseal_check(get_settings())
    file = KeyFile(key_file(home))
    file.write({added: file.read()[added]})
    embedded_keys.ensure(get_settings(), has_data=True)


def test_every_column_of_bytes_that_is_sealed_is_listed(session: Session, scene: Scene) -> None:
    from sqlalchemy import LargeBinary

    from app.core.db import Base

    listed = {(column.model.__tablename__, column.column.key) for column in registry.SEALED}
    for mapper in Base.registry.mappers:
        for column in mapper.columns:
            if not isinstance(column.type, LargeBinary):
                continue
            values = session.scalars(select(column).where(column.is_not(None))).all()
            if any(bytes(value).startswith(b"SLC1") for value in values):
                assert (mapper.local_table.name, column.key) in listed  # type: ignore[attr-defined]
