import json
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import bootstrap
from app.core.db import unit_of_work
from app.core.permissions import Permission, system_actor
from app.core.settings import get_settings
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange, UserIn
from tests.support import people


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    get_settings.cache_clear()
    return tmp_path


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    code = bootstrap.main(["--json", *arguments])
    answer: dict[str, str] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == (1 if "error" in answer else 0)
    return answer


def test_bootstrap_twice_gives_one_organization_one_token_and_fresh_links(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = _run(capsys, "--no-demo"), _run(capsys, "--no-demo")
    assert first["token"] == second["token"]
    assert first["login_url"] != second["login_url"]
    assert first["organization"] == second["organization"]
    counts = (
        "SELECT (SELECT count(*) FROM organizations), (SELECT count(*) FROM users), (SELECT count(*) FROM api_tokens)"
    )
    assert tuple(session.execute(text(counts)).one()) == (1, 1, 1)
    file = bootstrap.token_file(home)
    assert file.read_text().strip() == first["token"]
    assert file.stat().st_mode & 0o777 == 0o600
    for answer in (first, second):
        client = people.client()
        signed = client.post("/auth/link", json={"token": answer["login_url"].partition("link=")[2]})
        assert signed.json()["user"]["roles"] == ["admin"]
        assert signed.json()["user"]["organization"]["is_operator"] is True


def test_bootstrap_token_is_an_admin_persons(session: Session, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actor = identity.resolve_token(session, _run(capsys)["token"])
    assert actor is not None
    assert actor.may(Permission.RUNS_APPROVE)


def test_bootstrap_url_is_used_in_the_link(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The command sets it for its own process; here that process is ours, which gets its own back.
    monkeypatch.setenv("SLUICE_URL", "http://127.0.0.1:8080")
    answer = _run(capsys, "--url", "https://sluice.example.org/")
    assert answer["login_url"].startswith("https://sluice.example.org/login?link=")


@pytest.mark.parametrize("damage", ["revoked", "lost", "nonsense"])
def test_bootstrap_token_that_is_no_use_is_replaced(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    first = _run(capsys)["token"]
    if damage == "revoked":
        session.execute(text("UPDATE api_tokens SET revoked_at = now()"))
        session.commit()
    elif damage == "lost":
        bootstrap.token_file(home).unlink()
    else:
        bootstrap.token_file(home).write_text("nonsense")
    second = _run(capsys)["token"]
    assert second != first
    assert identity.resolve_token(session, second) is not None


def test_bootstrap_token_file_open_to_others_is_closed(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(capsys)
    bootstrap.token_file(home).chmod(0o644)
    _run(capsys)
    assert bootstrap.token_file(home).stat().st_mode & 0o777 == 0o600


def test_bootstrap_admin_who_was_replaced_gives_the_link_to_the_next(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(capsys)
    organization = identity.first_organization(session)
    assert organization is not None
    system = system_actor(organization.id)
    body = UserIn(email="bea@example.org", name="Bea", roles=[Role.ADMIN])
    second = identity.create_user(session, system, body)
    (first, _) = identity.list_admins(session, organization.id)
    identity.update_user(session, system, first.id, UserChange(is_disabled=True))
    session.commit()
    answer = _run(capsys)
    signed = people.client().post("/auth/link", json={"token": answer["login_url"].partition("link=")[2]})
    assert signed.json()["user"]["id"] == second.id
    actor = identity.resolve_token(session, answer["token"])
    assert actor is not None
    assert actor.id == second.id


def test_bootstrap_without_database_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = _run(capsys)
    assert answer["error"] == "unavailable"
    assert "SLUICE_DATABASE_URL" in answer["detail"]


def test_bootstrap_on_a_real_database_commits(
    real_database: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = _run(capsys)["token"]
    with unit_of_work() as session:
        assert identity.resolve_token(session, token) is not None


def test_bootstrap_demo_asks_for_one_plan_that_the_admin_may_approve(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str], sent_jobs: list[tuple[str, tuple[str, ...], str]]
) -> None:
    answer = _run(capsys, "--demo")
    _run(capsys, "--demo")
    client = people.client()
    client.headers["Authorization"] = f"Bearer {answer['token']}"
    (run,) = client.get("/terraform/runs").json()["items"]
    assert (run["status"], run["kind"], run["requested_by"]["name"]) == ("queued", "plan", "ci-demo")
    assert run["requested_by"]["kind"] == "service_account"
    assert [(task, ids) for task, ids, _ in sent_jobs] == [("runs.execute", (run["id"],))]
    workspace = client.get("/terraform/workspaces/demo").json()
    assert workspace["requester_may_approve"] is True
    (variable,) = client.get("/terraform/workspaces/demo/variables").json()
    assert (variable["key"], variable["is_sensitive"], variable["value"]) == ("database_password", True, None)
    levels = {item["enforcement_level"] for item in client.get("/terraform/policy-attachments").json()["items"]}
    assert levels == {"advisory", "hard-mandatory"}


def test_bootstrap_demo_that_was_deleted_stays_away(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = _run(capsys, "--demo")
    client = people.client()
    client.headers["Authorization"] = f"Bearer {answer['token']}"
    (run,) = client.get("/terraform/runs").json()["items"]
    client.post(f"/terraform/runs/{run['id']}/cancel", json={})
    assert client.delete("/terraform/workspaces/demo").status_code == 204
    _run(capsys, "--demo")
    assert client.get("/terraform/workspaces/demo").status_code == 404


def test_bootstrap_demo_that_fails_keeps_nobody_from_starting(
    session: Session, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POLICIES_DIR", str(home / "nowhere"))
    get_settings.cache_clear()
    answer = _run(capsys, "--demo")
    assert "token" in answer
    client = people.client()
    client.headers["Authorization"] = f"Bearer {answer['token']}"
    assert client.get("/terraform/runs").json()["items"] == []
    assert client.get("/service-accounts").json()["items"] == []
