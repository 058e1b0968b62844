from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.state import service, tasks
from app.state.errors import StateVersionPruned
from app.state.models import TerraformStateChunk, TerraformStateVersion
from app.state.schemas import Retention, StateVersionOut
from tests.factories.scene import Scene
from tests.state import states
from tests.state.conftest import Store


@pytest.fixture
def made(store: Store) -> list[StateVersionOut]:
    resources = [states.resource(number) for number in range(60)]
    found = []
    for serial in range(1, 6):
        resources[serial] = states.resource(serial, revision=serial)
        found.append(store(states.document(resources, serial)))
    return found


def keep(scene: Scene, **limits: int) -> None:
    with unit_of_work() as session:
        service.set_retention(session, scene.admin, scene.workspace.id, Retention(**limits))


def kept(session: Session, scene: Scene) -> list[int]:
    session.expire_all()
    query = select(TerraformStateVersion.number).filter_by(workspace_id=scene.workspace.id, pruned_at=None)
    return sorted(session.scalars(query))


def age(session: Session, version: StateVersionOut, days: int) -> None:
    session.execute(
        update(TerraformStateVersion).filter_by(id=version.id).values(created_at=clock.now() - timedelta(days=days))
    )
    session.commit()


def test_sweep_without_limits_keeps_everything(session: Session, scene: Scene, made: list[StateVersionOut]) -> None:
    keep(scene)
    assert tasks.sweep() == 0
    assert kept(session, scene) == [1, 2, 3, 4, 5]


def test_sweep_keeps_the_newest_versions(session: Session, scene: Scene, made: list[StateVersionOut]) -> None:
    keep(scene, keep_versions=2)
    assert tasks.sweep() == 3
    assert kept(session, scene) == [4, 5]
    assert tasks.sweep() == 0
    for version in made[3:]:
        assert service.content(session, scene.organization_id, version.id)
    with pytest.raises(StateVersionPruned):
        service.content(session, scene.organization_id, made[0].id)


def test_sweep_by_days_keeps_the_current_one_however_old(
    session: Session, scene: Scene, made: list[StateVersionOut]
) -> None:
    for version in made:
        age(session, version, 40)
    keep(scene, keep_days=30)
    assert tasks.sweep() == 4
    assert kept(session, scene) == [5]


def test_sweep_with_both_limits_needs_both_to_let_go(
    session: Session, scene: Scene, made: list[StateVersionOut]
) -> None:
    age(session, made[0], 40)
    keep(scene, keep_versions=2, keep_days=30)
    assert tasks.sweep() == 1
    assert kept(session, scene) == [2, 3, 4, 5]


def test_pruned_version_is_still_listed_with_its_run(session: Session, scene: Scene, store: Store) -> None:
    first = store(states.document([states.resource(1)], 1), run_id="run-1")
    store(states.document([states.resource(2)], 2))
    keep(scene, keep_versions=1)
    tasks.sweep()
    found = service.by_id(session, scene.organization_id, first.id)
    assert found is not None
    assert (found.serial, found.run_id, found.digest) == (1, "run-1", first.digest)
    assert found.pruned_at is not None


def test_sweep_removes_the_pieces_that_nothing_needs(session: Session, scene: Scene, store: Store) -> None:
    store(states.document([states.resource(number) for number in range(200)], 1))
    last = states.document([states.resource(999)], 2)
    newest = store(last)
    before = len(session.scalars(select(TerraformStateChunk.id)).all())
    keep(scene, keep_versions=1)
    tasks.sweep()
    session.expire_all()
    assert len(session.scalars(select(TerraformStateChunk.id)).all()) < before
    assert service.content(session, scene.organization_id, newest.id) == last


def test_sweep_that_meets_a_damaged_manifest_deletes_nothing(
    session: Session, scene: Scene, made: list[StateVersionOut]
) -> None:
    session.execute(update(TerraformStateVersion).filter_by(id=made[4].id).values(manifest=b"SLC1damaged"))
    session.commit()
    before = len(session.scalars(select(TerraformStateChunk.id)).all())
    keep(scene, keep_versions=2)
    assert tasks.sweep() == 0
    session.expire_all()
    assert len(session.scalars(select(TerraformStateChunk.id)).all()) == before
    assert kept(session, scene) == [1, 2, 3, 4, 5]
