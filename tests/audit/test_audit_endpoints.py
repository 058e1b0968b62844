import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app.audit import tasks
from app.cli import audit_checking
from app.core import artifacts
from app.core.artifacts import ArtifactStore
from app.core.blobs import MemoryBlobStore
from app.core.crypto import key_ring
from app.identity.roles import Role
from tests.support import people


@pytest.fixture
def admin(session: Session) -> Any:
    member = people.person(session, people.organization(session), Role.ADMIN)
    session.commit()
    with artifacts.using(ArtifactStore(MemoryBlobStore(), key_ring())):
        tasks.chain_all()
        yield people.client(member)


def test_chain_report_says_what_was_held_against_it(admin: Any) -> None:
    report = admin.get("/audit/chain").json()
    assert report["is_intact"]
    assert report["is_complete"]
    assert report["checkpoints"] == 1
    assert report["head_position"] == report["checkpoint_position"] == report["checked"]
    assert admin.get("/audit/chain", params={"after": 10**9}).json()["errors"][0]["field"] == "after"


def test_export_streams_json_lines_that_prove_themselves(admin: Any, tmp_path: Path) -> None:
    answer = admin.get("/audit/export")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["type"] for line in lines[:2]] == ["header", "event"]
    assert lines[-1]["type"] == "end"
    key = admin.get("/audit/keys").json()["items"][0]["public_key"]
    file = tmp_path / "audit.jsonl"
    file.write_text(answer.text)
    report = audit_checking.check_here(file, [key], (0, None))
    assert report["is_intact"]
    assert report["checkpoints"] == 1


def test_checkpoints_are_listed_with_what_is_signed(admin: Any) -> None:
    (found,) = admin.get("/audit/checkpoints").json()["items"]
    assert found["is_stored"]
    assert found["document"]["signatures"][0]["key_id"] == found["key_id"]
    assert found["key_id"] == admin.get("/audit/keys").json()["items"][0]["id"]


def test_verify_of_a_file_exits_1_and_names_the_row(admin: Any, tmp_path: Path) -> None:
    from app.cli.main import app

    text = admin.get("/audit/export").text
    key = admin.get("/audit/keys").json()["items"][0]["public_key"]
    file = tmp_path / "audit.jsonl"
    runner = CliRunner()
    arguments = ["audit", "verify", "--file", str(file), "--public-key", key]
    file.write_text(text)
    good = runner.invoke(app, arguments)
    assert (good.exit_code, good.stdout.split(":")[0]) == (0, "Intact")
    file.write_text(text.replace('"user.created"', '"user.renamed"', 1))
    bad = runner.invoke(app, arguments)
    assert bad.exit_code == 1
    assert "changed: Row" in bad.stderr
    assert "user.renamed" in bad.stderr
    as_json = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    assert (as_json["finding"], as_json["row"]["action"]) == ("changed", "user.renamed")
    unnamed = runner.invoke(app, arguments[:4])
    assert unnamed.exit_code == 1


def test_report_of_pages_is_one_report() -> None:
    def page(checked: int, finding: str | None) -> dict[str, Any]:
        return {
            "is_intact": finding is None,
            "checked": checked,
            "checkpoints": 1,
            "finding": finding,
            "broken_at": None,
            "row": None,
            "message": finding or "fine",
            "findings": [finding] if finding else [],
            "head_position": checked,
        }

    joined = audit_checking._joined(audit_checking._joined(page(2, "changed"), page(3, "missing")), page(1, None))
    assert (joined["is_intact"], joined["checked"], joined["finding"], joined["message"]) == (
        False,
        6,
        "changed",
        "changed",
    )
    assert (joined["findings"], joined["head_position"]) == (["changed", "missing"], 1)
