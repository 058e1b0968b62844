"""What verifying finds, each time after somebody with every right in the database has done it."""

import pytest

from app.core.canonical import canonical_json
from app.core.errors import Invalid
from tests.audit.conftest import ORGANIZATION, Trail


def test_verify_untouched_chain_is_intact_up_to_its_checkpoint(trail: Trail) -> None:
    trail.write(5)
    trail.checkpoint()
    trail.write(2)
    report = trail.verify()
    assert (report.is_intact, report.is_complete, report.checked, report.checkpoints) == (True, True, 7, 1)
    assert (report.head_position, report.checkpoint_position, report.finding) == (7, 5, None)


def test_verify_one_changed_byte_names_the_row(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("UPDATE audit_events SET evidence = '{\"number\": 9}' WHERE chain_seq = 3")
    report = trail.verify()
    assert (report.is_intact, report.finding, report.broken_at, len(report.findings)) == (False, "changed", 3, 1)
    assert report.row is not None
    assert (report.row.position, report.row.action) == (3, "run.approved")
    assert f"row {report.row.id} (run.approved of 2026-11-01 08:00:03 UTC, position 3) was changed" in (
        report.message.replace("Row", "row")
    )


@pytest.mark.parametrize(
    "change",
    [
        "action = 'run.rejected'",
        "actor = jsonb_set(actor, '{name}', '\"Mallory\"')",
        "source_address = '203.0.113.8'",
        "target_id = 'run-x'",
        "created_at = created_at + interval '1 microsecond'",
        "organization_id = organization_id, previous_hash = repeat('0', 64)",
        "hash = repeat('0', 64)",
        "evidence = '{\"number\": 1e300}'",
    ],
)
def test_verify_any_changed_field_names_the_row(trail: Trail, change: str) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper(f"UPDATE audit_events SET {change} WHERE chain_seq = 3")
    report = trail.verify()
    assert (report.finding, report.broken_at) == ("changed", 3)


def test_verify_changed_row_with_its_hash_computed_anew_names_the_row(trail: Trail) -> None:
    from app.audit import repository

    trail.write(6)
    trail.checkpoint()
    trail.tamper("UPDATE audit_events SET action = 'run.rejected' WHERE chain_seq = 3")
    (event,) = repository.chained_after(trail.session, ORGANIZATION, 2, 1)
    trail.tamper("UPDATE audit_events SET hash = :hash WHERE chain_seq = 3", hash=event.link())
    report = trail.verify()
    assert (report.finding, report.broken_at, report.row.position if report.row else None) == ("changed", 3, 3)


@pytest.mark.parametrize("gone", [(1, 1), (3, 3), (2, 4)])
def test_verify_missing_rows_says_which(trail: Trail, gone: tuple[int, int]) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events WHERE chain_seq BETWEEN :first AND :last", first=gone[0], last=gone[1])
    report = trail.verify()
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("missing", *gone)]


def test_verify_rows_that_changed_places_says_reordered(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    for old, new in ((3, 99), (4, 3), (99, 4)):
        trail.tamper("UPDATE audit_events SET chain_seq = :new WHERE chain_seq = :old", old=old, new=new)
    report = trail.verify()
    assert {(one.finding, one.first_position) for one in report.findings} == {("reordered", 3), ("reordered", 4)}
    assert "was chained at position 4" in report.findings[0].message


def test_verify_contents_that_changed_places_says_reordered(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper(
        "UPDATE audit_events a SET chain_seq = 100 + b.chain_seq, previous_hash = b.previous_hash, hash = b.hash "
        "FROM audit_events b WHERE (a.chain_seq, b.chain_seq) IN ((3, 5), (5, 3))"
    )
    trail.tamper("UPDATE audit_events SET chain_seq = chain_seq - 100 WHERE chain_seq > 100")
    report = trail.verify()
    assert [(one.finding, one.first_position) for one in report.findings] == [("reordered", 3), ("reordered", 5)]


def test_verify_cut_tail_says_from_where_to_where(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events WHERE chain_seq > 4")
    report = trail.verify()
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("tail_cut", 5, 6)]
    assert "positions 5 to 6 are gone" in report.message


def test_verify_cut_tail_is_seen_though_the_index_is_gone_too(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events")
    trail.tamper("DELETE FROM audit_checkpoints")
    report = trail.verify()
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("tail_cut", 1, 6)]


def test_chain_goes_on_behind_a_cut_tail_so_that_the_gap_stays(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events WHERE chain_seq > 4")
    trail.write(2)
    report = trail.verify()
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("tail_cut", 5, 6)]
    assert report.head_position == 8


def test_verify_tail_that_grew_again_without_the_index_says_cut(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events WHERE chain_seq > 4")
    trail.tamper("DELETE FROM audit_checkpoints")
    trail.later(hours=1)
    trail.write(5)
    report = trail.verify()
    assert (report.finding, report.broken_at) == ("tail_cut", 5)
    assert "younger events were put in its place" in report.message


def test_verify_chain_computed_anew_says_from_where_at_the_latest(trail: Trail) -> None:
    trail.write(4)
    trail.checkpoint()
    trail.write(4)
    trail.checkpoint()
    trail.tamper("UPDATE audit_events SET action = 'run.rejected' WHERE chain_seq = 6")
    trail.rehash(6)
    report = trail.verify()
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("rewritten", 5, 8)]
    assert "from position 8 on at the latest and not before 5" in report.message


def test_verify_forged_checkpoint_is_named(trail: Trail) -> None:
    trail.write(4)
    trail.checkpoint()
    (key,) = trail.stored()
    trail.blobs.put(key, trail.blobs.get(key)[:-1] + b"x")
    report = trail.verify()
    assert [one.finding for one in report.findings] == ["checkpoint_forged"]


def test_verify_checkpoint_of_another_key_is_forged(trail: Trail, ring_of: object) -> None:
    from app.audit.checkpoint_store import KIND, owner_of
    from app.core.artifacts import artifact_store
    from app.core.checkpoints import Checkpoint, SigningKeys
    from app.core.crypto import KeyRing

    trail.write(4)
    stranger = SigningKeys(KeyRing({"x": b"x" * 32}))
    made = Checkpoint(
        organization_id=ORGANIZATION,
        sequence=1,
        position=4,
        head_hash="0" * 64,
        at=trail.at,
        previous=None,
        keys=stranger.public,
    )
    data = canonical_json(stranger.sign(made).document())
    artifact_store().put(data, organization_id=ORGANIZATION, kind=KIND, owner=owner_of(1, 4))
    assert [one.finding for one in trail.verify().findings] == ["checkpoint_forged"]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_verify_missing_checkpoint_is_named(trail: Trail, which: int) -> None:
    for _ in range(3):
        trail.write(2)
        trail.checkpoint()
    trail.blobs.delete(trail.stored()[which])
    found = {(one.finding, one.message.split(" ")[1].rstrip(",")) for one in trail.verify().findings}
    assert found == {("checkpoint_missing", str(which + 1))}


def test_verify_missing_checkpoint_is_named_though_the_index_is_gone_too(trail: Trail) -> None:
    for _ in range(3):
        trail.write(2)
        trail.checkpoint()
    trail.blobs.delete(trail.stored()[1])
    trail.tamper("DELETE FROM audit_checkpoints WHERE sequence = 2")
    assert [one.finding for one in trail.verify().findings] == ["checkpoint_missing"]


def test_verify_row_taken_out_of_the_chain_is_missing_and_unchained(trail: Trail) -> None:
    trail.write(4)
    trail.checkpoint()
    trail.tamper("UPDATE audit_events SET chain_seq = NULL, previous_hash = NULL, hash = NULL WHERE chain_seq = 2")
    trail.later(hours=1)
    report = trail.verify()
    assert [one.finding for one in report.findings] == ["missing", "unchained"]
    assert report.waiting == 1


def test_verify_in_pages_finds_the_same(trail: Trail) -> None:
    for _ in range(3):
        trail.write(3)
        trail.checkpoint()
    trail.tamper("UPDATE audit_events SET action = 'x.y' WHERE chain_seq = 5")
    after, previous, found, checked = 0, None, [], 0
    while True:
        page = trail.verify(after=after, previous=previous, limit=2)
        found += [(one.finding, one.first_position) for one in page.findings]
        checked += page.checked
        if page.is_complete:
            break
        after, previous = page.head_position, page.head_hash
    assert (found, checked) == ([("changed", 5)], 9)


def test_verify_since_a_checkpoint_looks_at_what_came_later(trail: Trail) -> None:
    trail.write(3)
    trail.checkpoint()
    trail.write(3)
    trail.tamper("UPDATE audit_events SET action = 'x.y' WHERE chain_seq = 2")
    report = trail.verify(after=3)
    assert (report.is_intact, report.checked) == (True, 3)
    with pytest.raises(Invalid, match="no checkpoint at position 2"):
        trail.verify(after=2)


def test_verify_since_a_hash_that_is_not_the_chains_finds_it(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    report = trail.verify(after=3, previous="0" * 64)
    assert (report.finding, report.broken_at) == ("changed", 4)


def test_verify_since_a_position_that_was_cut_says_so(trail: Trail) -> None:
    trail.write(6)
    trail.checkpoint()
    trail.tamper("DELETE FROM audit_events WHERE chain_seq > 2")
    report = trail.verify(after=6)
    assert [(one.finding, one.first_position, one.last_position) for one in report.findings] == [("tail_cut", 3, 6)]


def test_verify_everything_changed_stops_early(trail: Trail) -> None:
    trail.write(60)
    trail.tamper("UPDATE audit_events SET action = 'x.y'")
    report = trail.verify()
    assert (report.broken_at, report.is_complete) == (1, True)
    assert 20 <= len(report.findings) <= 60
