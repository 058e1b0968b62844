import secrets

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.artifacts import artifact_store
from app.core.crypto import KeyRing
from app.core.errors import IntegrityError
from app.state import service, vault
from app.state.errors import StateConflict
from app.state.manifest import Manifest, bases, decode
from app.state.models import TerraformStateChunk, TerraformStateVersion
from app.state.vault import Vault
from tests.factories.scene import Scene, new_scene
from tests.state import states
from tests.state.conftest import Store


def chunks(session: Session, scene: Scene) -> list[TerraformStateChunk]:
    session.expire_all()
    return list(session.scalars(select(TerraformStateChunk).filter_by(workspace_id=scene.workspace.id)).all())


def stored_bytes(session: Session, scene: Scene) -> int:
    """What the workspace's states take: every column of every row that they are made of."""
    sizes = [
        session.scalar(
            select(func.coalesce(func.sum(func.pg_column_size(model.__table__.table_valued())), 0)).where(
                model.workspace_id == scene.workspace.id
            )
        )
        for model in (TerraformStateChunk, TerraformStateVersion)
    ]
    return sum(size or 0 for size in sizes)


def test_stored_state_is_read_back_as_it_came(session: Session, scene: Scene, store: Store) -> None:
    data = states.document([states.resource(1)], outputs={"url": {"value": "https://x", "type": "string"}})
    made = store(data)
    assert service.content(session, scene.organization_id, made.id) == data
    assert [item.address for item in service.version(session, scene.admin, made.id).resources] == [
        "module.cell[1].aws_instance.web_1"
    ]
    assert [(o.name, o.value) for o in service.outputs(session, scene.admin, made.id)] == [("url", "https://x")]


def test_every_version_of_many_is_read_back(session: Session, scene: Scene, store: Store) -> None:
    resources = [states.resource(number) for number in range(300)]
    made = {}
    for serial in range(1, 21):
        resources[serial * 7] = states.resource(serial * 7, revision=serial)
        data = states.document(list(resources), serial)
        made[store(data).id] = data
    for version_id, data in made.items():
        assert service.content(session, scene.organization_id, version_id) == data


def test_hundred_versions_with_small_changes_cost_less_than_three(session: Session, scene: Scene, store: Store) -> None:
    resources = [states.resource(number, size=1600) for number in range(400)]
    store(states.document(resources, 1))
    one = stored_bytes(session, scene)
    for serial in range(2, 101):
        changed = serial * 37 % len(resources)
        resources[changed] = states.resource(changed, size=1600, revision=serial)
        store(states.document(resources, serial))
    assert stored_bytes(session, scene) < 3 * one


def test_differences_are_one_step_deep(session: Session, scene: Scene, store: Store) -> None:
    resources = [states.resource(number) for number in range(20)]
    for serial in range(1, 30):
        resources[3] = states.resource(3, revision=serial)
        store(states.document(resources, serial))
    rows = chunks(session, scene)
    whole = {row.id for row in rows if row.base_id is None}
    differences = [row for row in rows if row.base_id is not None]
    assert len(differences) > 10
    assert {row.base_id for row in differences} <= whole


def test_pieces_hold_nothing_readable_and_their_names_are_keyed(session: Session, scene: Scene, store: Store) -> None:
    secret = secrets.token_hex(16)
    made = store(
        states.document(
            [states.resource(1, sensitive=secret)],
            outputs={"s": {"value": secret, "type": "string", "sensitive": True}},
        )
    )
    rows = chunks(session, scene)
    assert rows
    assert not [row for row in rows if secret.encode() in row.sealed]
    row = session.scalars(select(TerraformStateVersion).filter_by(id=made.id)).one()
    assert row.manifest is not None
    assert secret.encode() not in row.manifest
    assert row.artifact is row.resources is row.outputs_artifact is None


def test_same_state_in_two_workspaces_has_different_piece_names(session: Session, scene: Scene, store: Store) -> None:
    from tests.factories.scene import second_workspace

    data = states.document([states.resource(1)])
    store(data)
    other = second_workspace(scene)
    other.store(data)
    assert not {row.id for row in chunks(session, scene)} & {row.id for row in chunks(session, other)}


def test_altered_piece_is_refused_and_leaves_other_versions_readable(
    session: Session, scene: Scene, store: Store
) -> None:
    first = states.document([states.resource(1)], 1)
    kept, lost = store(first), store(states.document([states.resource(2, size=9000)], 2))
    manifest = _manifest(session, lost.id)
    only = manifest.every_id() - _manifest(session, kept.id).every_id()
    assert only
    for row in session.scalars(select(TerraformStateChunk).where(TerraformStateChunk.id.in_(only))):
        row.sealed = row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])
    session.flush()
    with pytest.raises(IntegrityError):
        service.content(session, scene.organization_id, lost.id)
    assert service.content(session, scene.organization_id, kept.id) == first


def test_lost_piece_is_said(session: Session, scene: Scene, store: Store) -> None:
    made = store(states.document([states.resource(1)]))
    session.query(TerraformStateChunk).filter_by(workspace_id=scene.workspace.id).delete()
    with pytest.raises(IntegrityError, match="not in the store"):
        service.content(session, scene.organization_id, made.id)


def test_manifest_of_another_version_does_not_open(session: Session, scene: Scene, store: Store) -> None:
    first, second = store(states.document([], 1)), store(states.document([], 2))
    rows = {row.id: row for row in session.scalars(select(TerraformStateVersion)).all()}
    rows[second.id].manifest = rows[first.id].manifest
    session.flush()
    with pytest.raises(IntegrityError):
        service.content(session, scene.organization_id, second.id)


def test_collect_keeps_what_versions_need_and_removes_the_rest(session: Session, scene: Scene, store: Store) -> None:
    resources = [states.resource(number) for number in range(50)]
    first = store(states.document(resources, 1))
    resources[3] = states.resource(3, revision=1)
    data = states.document(resources, 2)
    second = store(data)
    # The second's pieces are differences to the first's, whose manifest goes.
    session.execute(update(TerraformStateVersion).filter_by(id=first.id).values(manifest=None))
    before = len(chunks(session, scene))
    place = Vault(scene.organization_id, scene.workspace.id)
    removed = place.collect(session)
    assert len(chunks(session, scene)) == before - removed
    assert service.content(session, scene.organization_id, second.id) == data
    session.execute(update(TerraformStateVersion).filter_by(id=second.id).values(manifest=None))
    assert place.collect(session) > 0
    assert chunks(session, scene) == []


def test_version_from_before_there_were_pieces_is_read(session: Session, scene: Scene) -> None:
    data = states.document([states.resource(1)], 1, outputs={"url": {"value": "x", "type": "string"}})
    store = artifact_store()
    row = TerraformStateVersion(
        id="sv-old",
        organization_id=scene.organization_id,
        workspace_id=scene.workspace.id,
        number=1,
        kind="applied",
        serial=1,
        lineage=states.LINEAGE,
        digest=vault.sha256_hex(data),
        size_bytes=len(data),
        engine_version="1",
        resource_count=1,
        created_by={},
        artifact=store.put(data, organization_id=scene.organization_id, kind="state", owner="sv-old").model_dump(),
        outputs_artifact=store.put(
            b'[{"name":"url","type":"string","sensitive":false,"value":"x"}]',
            organization_id=scene.organization_id,
            kind="state_outputs",
            owner="sv-old",
        ).model_dump(),
        resources=[
            {"address": "a.b", "module": "", "mode": "managed", "type": "a", "name": "b", "provider": "p"},
        ],
    )
    session.add(row)
    session.flush()
    session.expunge_all()
    assert service.content(session, scene.organization_id, "sv-old") == data
    assert [item.address for item in service.version(session, scene.admin, "sv-old").resources] == ["a.b"]
    assert [item.value for item in service.outputs(session, scene.admin, "sv-old")] == ["x"]
    newest = service.current(session, scene.workspace.id)
    assert newest is not None
    assert newest.artifact.model_dump() == row.artifact


def test_runner_gets_the_current_state_through_its_job(session: Session) -> None:
    scene = new_scene(state_backend="local")
    _, job = scene.applying()
    scene.apply_to_end(job)
    following = scene.claimed(scene.request())
    assert following.state is not None
    data = scene.port.get_artifact(following.run_id, following.fencing_token, following.state)
    assert vault.sha256_hex(data) == following.state.digest


def test_lower_serial_writes_nothing(session: Session, scene: Scene, store: Store) -> None:
    store(states.document([], 5))
    before = {row.id for row in chunks(session, scene)}
    with pytest.raises(StateConflict):
        store(states.document([states.resource(1)], 4))
    assert {row.id for row in chunks(session, scene)} == before


def test_bases_pair_what_lies_between_the_same_pieces() -> None:
    old, new = [b"a", b"b", b"c", b"d", b"e"], [b"a", b"B", b"c", b"D", b"X", b"e"]
    assert bases(new, old) == {b"B": b"b", b"D": b"d"}


def test_manifest_survives_encoding_and_refuses_a_cut() -> None:
    manifest = Manifest({"content": (b"1" * 16, b"2" * 16), "outputs": ()})
    data = manifest.encode()
    assert decode(data) == manifest
    with pytest.raises(IntegrityError):
        decode(data[:-20])


def test_pieces_open_with_the_ring_that_sealed_them_only(
    session: Session, scene: Scene, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store(states.document([states.resource(1)]))
    monkeypatch.setattr(vault, "key_ring", lambda: KeyRing({"test": secrets.token_bytes(32)}))
    with pytest.raises(IntegrityError):
        service.content(session, scene.organization_id, made.id)


def _manifest(session: Session, version_id: str) -> Manifest:
    row = session.scalars(select(TerraformStateVersion).filter_by(id=version_id)).one()
    assert row.manifest is not None
    return Vault(row.organization_id, row.workspace_id).open_manifest(row.manifest, owner=row.id, digest=row.digest)
