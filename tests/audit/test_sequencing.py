import pytest

from app.audit import repository, sequencing, service, tasks
from app.audit.checkpoint_store import found_in_store
from app.core.blobs import ArtifactStoreUnavailable
from app.core.pages import PageParams
from tests.audit.conftest import ALICE, ORGANIZATION, Trail


def _due(trail: Trail, *, is_idle: bool) -> bool:
    made = sequencing.checkpoint(trail.session, ORGANIZATION, is_idle=is_idle)
    trail.session.commit()
    return made


def test_checkpoint_first_event_is_due_at_once(trail: Trail) -> None:
    assert not _due(trail, is_idle=True)
    trail.write(1)
    assert _due(trail, is_idle=False)
    assert not _due(trail, is_idle=True)


def test_checkpoint_of_a_busy_trail_is_due_after_ten_minutes_and_of_a_quiet_one_after_one(trail: Trail) -> None:
    trail.write(1)
    trail.checkpoint()
    trail.write(1)
    assert not _due(trail, is_idle=True)
    trail.later(minutes=1)
    assert not _due(trail, is_idle=False)
    assert _due(trail, is_idle=True)
    trail.write(1)
    trail.later(minutes=10)
    assert _due(trail, is_idle=False)


def test_checkpoint_is_due_after_many_events(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencing, "EVERY_EVENTS", 3)
    trail.write(1)
    trail.checkpoint()
    trail.write(2)
    assert not _due(trail, is_idle=False)
    trail.write(1)
    assert _due(trail, is_idle=False)


def test_checkpoint_names_what_it_is_of_and_the_one_before(trail: Trail) -> None:
    trail.write(2)
    trail.checkpoint()
    trail.write(1)
    trail.checkpoint()
    second, first = service.list_checkpoints(trail.session, ORGANIZATION, PageParams()).items
    assert (first.sequence, first.position, first.document["previous"]) == (1, 2, None)
    assert (second.sequence, second.position, second.document["previous"]) == (2, 3, first.digest)
    assert first.is_stored
    assert second.document["organization_id"] == ORGANIZATION
    assert [one.read().checkpoint for one in found_in_store(ORGANIZATION)] != [None, None]


def test_checkpoint_that_the_store_had_no_room_for_is_put_there_later(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ArtifactStoreUnavailable("no room")

    trail.write(2)
    trail.session.commit()
    with monkeypatch.context() as patched:
        patched.setattr(trail.blobs, "put", refuse)
        tasks.chain_all()
    assert trail.stored() == []
    assert trail.verify().is_intact
    tasks.chain_all()
    assert len(trail.stored()) == 1
    assert trail.verify().checkpoint_position == 2


def test_chain_all_signs_a_trail_that_has_gone_quiet(trail: Trail) -> None:
    service.record(trail.session, ALICE, "x.y", ("x", "1"))
    trail.session.commit()
    tasks.chain_all()
    service.record(trail.session, ALICE, "x.y", ("x", "2"))
    trail.session.commit()
    tasks.chain_all()
    assert trail.verify().checkpoint_position == 1
    trail.later(minutes=2)
    tasks.chain_all()
    assert (trail.verify().checkpoint_position, len(trail.stored())) == (2, 2)
    assert repository.organizations_behind(trail.session) == []


def test_checkpoint_over_an_altered_index_goes_on_from_the_store(trail: Trail) -> None:
    trail.write(2)
    trail.checkpoint()
    trail.tamper("UPDATE audit_checkpoints SET document = jsonb_set(document, '{head_hash}', '\"00\"')")
    trail.write(2)
    trail.checkpoint()
    report = trail.verify()
    assert (report.is_intact, report.checkpoint_position) == (True, 4)


def test_database_that_was_restored_chains_on_behind_what_it_lost(trail: Trail) -> None:
    trail.write(3)
    trail.checkpoint()
    trail.write(3)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events WHERE chain_seq > 4")
    trail.tamper("DELETE FROM audit_checkpoints WHERE sequence > 1")
    assert sequencing.adopt_checkpoints(ORGANIZATION) == 1
    trail.write(3)
    trail.checkpoint()
    report = trail.verify()
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("tail_cut", 5, 6)]
    since = trail.verify(after=6)
    assert (since.is_intact, since.checked, since.checkpoint_position) == (True, 3, 9)


def test_keys_that_rotate_leave_every_checkpoint_trusted(trail: Trail, ring_of: object) -> None:
    from app.core import artifacts
    from app.core.artifacts import ArtifactStore
    from app.core.checkpoints import SigningKeys, Trust

    def under(*names: str) -> SigningKeys:
        ring = ring_of(*names)  # type: ignore[operator]
        artifacts._replacement = ArtifactStore(trail.blobs, ring)
        return SigningKeys(ring)

    old = under("k1")
    trail.write(2)
    trail.checkpoint()
    trail.session.commit()
    new = under("k2", "k1")
    assert new.current != old.current
    assert sequencing.sign_under_present_key() == 1
    assert sequencing.sign_under_present_key() == 0
    last = found_in_store(ORGANIZATION)[-1].read().checkpoint
    assert last is not None
    assert last.signed_by() == {old.current, new.current}
    assert Trust([old.current]).accepts(last)
    for key in trail.stored():
        artifacts.artifact_store().reseal(key)
    under("k2")
    trail.write(2)
    trail.checkpoint()
    report = trail.verify()
    assert (report.is_intact, report.checkpoints, report.checkpoint_position) == (True, 3, 4)
