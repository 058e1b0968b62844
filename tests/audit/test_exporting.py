"""An export proves itself with nothing but a public key."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.audit import service
from app.audit.schemas import ExportFilter
from app.core.checkpoints import PublicKey
from app.core.export_check import ExportInvalid, ExportReport, check_export
from tests.audit.conftest import ALICE, ORGANIZATION, Trail

Change = Callable[[list[dict[str, Any]]], object]


def _export(trail: Trail, path: Path, change: Change | None = None, **given: Any) -> Path:
    trail.session.commit()
    lines = [json.loads(line) for line in service.export(trail.session, ALICE, ExportFilter(**given))]
    if change is not None:
        change(lines)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def _key() -> PublicKey:
    return service.public_keys().items[0]


@pytest.fixture
def check(trail: Trail, tmp_path: Path) -> Callable[..., ExportReport]:
    """Six events and two checkpoints, exported, changed, and checked."""
    trail.write(4)
    trail.checkpoint()
    trail.write(2)
    trail.checkpoint()

    def checked(change: Change | None = None) -> ExportReport:
        return check_export(_export(trail, tmp_path / "audit.jsonl", change), [_key()])

    return checked


def _events(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == "event"]


def test_export_untouched_is_intact(check: Callable[..., ExportReport]) -> None:
    report = check()
    assert (report.is_intact, report.checked, report.checkpoints) == (True, 6, 2)
    assert (report.head_position, report.checkpoint_position, report.organization_id) == (6, 6, ORGANIZATION)


def test_export_has_a_header_the_chain_and_an_end(trail: Trail, tmp_path: Path) -> None:
    trail.write(2)
    trail.checkpoint()
    trail.write(1)
    file = _export(trail, tmp_path / "audit.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["type"] for line in lines] == ["header", "event", "event", "checkpoint", "event", "end"]
    assert lines[-1]["events"] == 3
    assert lines[1]["actor"] == {"id": "user-a", "kind": "person", "name": "Alice"}


def test_export_is_an_event_itself(trail: Trail, tmp_path: Path) -> None:
    _export(trail, tmp_path / "audit.jsonl", action="run.*")
    trail.write(0)
    (event,) = [json.loads(line) for line in service.export(trail.session, ALICE, ExportFilter())][1:-1]
    assert (event["action"], event["evidence"]) == ("audit.exported", {"action": "run.*"})


def _rewrite(lines: list[dict[str, Any]]) -> None:
    from app.core.chain import ChainedEvent

    previous = None
    for line in _events(lines):
        line["action"] = "x.y"
        line["previous_hash"] = previous
        line["hash"] = previous = ChainedEvent.of_line(line).link()


@pytest.mark.parametrize(
    ("change", "finding", "position"),
    [
        (lambda lines: _events(lines)[2]["evidence"].update(number=7), "changed", 3),
        (lambda lines: _events(lines)[2]["actor"].update(name="Mallory"), "changed", 3),
        (lambda lines: lines.remove(_events(lines)[2]), "missing", 3),
        (lambda lines: [lines.remove(line) for line in _events(lines)[4:]], "tail_cut", 5),
        (lambda lines: lines.remove(lines[5]), "checkpoint_missing", 6),
        (lambda lines: lines[5]["document"].update(head_hash="0" * 64), "checkpoint_forged", 4),
        (_rewrite, "rewritten", 1),
    ],
)
def test_export_that_was_altered_is_found_out(
    check: Callable[..., ExportReport], change: Change, finding: str, position: int
) -> None:
    report = check(change)
    assert (report.findings[0].finding, report.findings[0].first_position) == (finding, position)


def test_export_whose_tail_was_cut_with_its_checkpoint_is_found_out(check: Callable[..., ExportReport]) -> None:
    def cut(lines: list[dict[str, Any]]) -> None:
        lines[6:-1] = []

    assert [one.finding for one in check(cut).findings] == ["tail_cut"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines.pop(), "cut short"),
        (lambda lines: lines.pop(0), "does not begin"),
        (lambda lines: lines.append({"type": "event"}), "behind the end"),
        (lambda lines: _events(lines)[0].pop("actor"), "Line 2 is an event without 'actor'"),
        (
            lambda lines: [lines.remove(line) for line in [*lines] if line["type"] == "checkpoint"],
            "no signed checkpoint",
        ),
    ],
)
def test_export_that_proves_nothing_is_refused(check: Callable[..., ExportReport], change: Change, said: str) -> None:
    with pytest.raises(ExportInvalid, match=said):
        check(change)


def test_export_under_another_key_is_not_trusted(trail: Trail, tmp_path: Path) -> None:
    trail.write(2)
    trail.checkpoint()
    file = _export(trail, tmp_path / "audit.jsonl")
    report = check_export(file, [PublicKey.of(b"\x01" * 32)])
    assert [one.finding for one in report.findings] == ["checkpoint_forged"]


def test_export_with_a_filter_holds_what_it_takes_and_is_not_to_be_verified(trail: Trail, tmp_path: Path) -> None:
    trail.write(2)
    trail.write(1, action="workspace.created")
    file = _export(trail, tmp_path / "audit.jsonl", action="run.*")
    assert [line["action"] for line in _events([json.loads(text) for text in file.open()])] == ["run.approved"] * 2
    with pytest.raises(ExportInvalid, match="filter"):
        check_export(file, [_key()])


def test_export_between_moments_takes_the_first_and_not_the_last(trail: Trail, tmp_path: Path) -> None:
    began = trail.at
    trail.write(4)
    lines = [
        json.loads(line)
        for line in service.export(
            trail.session,
            ALICE,
            ExportFilter(since=began.replace(second=2), until=began.replace(second=4)),
        )
    ]
    assert [line["position"] for line in _events(lines)] == [2, 3]


def test_export_behind_a_position_follows_its_hash(trail: Trail, tmp_path: Path) -> None:
    trail.write(4)
    trail.checkpoint()
    trail.write(2)
    trail.checkpoint()
    head = trail.verify(limit=4).head_hash
    assert head is not None
    file = _export(trail, tmp_path / "audit.jsonl", after=4)
    assert check_export(file, [_key()], since=(4, head)).is_intact
    assert check_export(file, [_key()], since=(4, "0" * 64)).findings[0].finding == "changed"
    with pytest.raises(ExportInvalid, match="--since 4:HASH"):
        check_export(file, [_key()])


def test_export_over_a_rotation_is_proven_by_either_key(
    trail: Trail, tmp_path: Path, ring_of: Callable[..., Any]
) -> None:
    from app.audit import sequencing
    from app.core import artifacts
    from app.core.artifacts import ArtifactStore

    keys = []
    for names in (("k1",), ("k2", "k1")):
        artifacts._replacement = ArtifactStore(trail.blobs, ring_of(*names))
        keys.append(_key())
        trail.write(2)
        trail.checkpoint()
    assert sequencing.sign_under_present_key() == 0
    file = _export(trail, tmp_path / "audit.jsonl")
    assert keys[0] != keys[1]
    for key in keys:
        assert check_export(file, [key]).is_intact
