import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import main, routers
from app.core.permissions import PUBLIC
from app.core.settings import get_settings
from app.identity.roles import Role
from tests.support import people


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of an API that serves a small built web UI, and has a route that fails."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>the page</title>")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "app-1a2b.js").write_text("'use strict'")
    (tmp_path.parent / "secret.txt").write_text("secret")
    monkeypatch.setenv("SLUICE_FRONTEND_DIR", str(tmp_path))
    router = APIRouter()

    @router.get("/terraform/broken", dependencies=[PUBLIC])
    def broken() -> None:
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(routers, "ROUTERS", (*routers.ROUTERS, router))
    get_settings.cache_clear()
    yield TestClient(main.create_app(), base_url="http://127.0.0.1:8080")
    get_settings.cache_clear()


def test_healthz_needs_no_credential_and_no_database(site: TestClient) -> None:
    assert site.get("/healthz").json() == {"status": "ok"}


def test_readyz_says_what_can_be_reached(session: Session, site: TestClient) -> None:
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "redis": "not configured"})


def test_readyz_without_database_is_503(site: TestClient) -> None:
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "unavailable")


def test_readyz_with_redis_says_so(session: Session, redis_url: str) -> None:
    assert people.client().get("/readyz").json()["redis"] == "ok"


def test_version_names_the_engine_that_is_found(session: Session, site: TestClient) -> None:
    member = people.person(session, people.organization(session), Role.VIEWER)
    session.commit()
    assert site.get("/terraform/version").status_code == 401
    answer = people.client(member).get("/terraform/version").json()
    assert answer["engine"] is None or answer["engine"]["kind"] in {"tofu", "terraform"}
    assert answer["policy_engine"].startswith(("opa", "regorus"))


@pytest.mark.parametrize("path", ["/", "/login?link=x", "/infra/terraform/runs/run-1", "/settings/", "/index.html"])
def test_pages_give_the_page_asked_for_again_each_time(site: TestClient, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.text) == (200, "<title>the page</title>")
    assert answer.headers["cache-control"] == "no-cache"


def test_assets_are_kept_for_ever_and_missing_ones_are_404(site: TestClient) -> None:
    answer = site.get("/assets/app-1a2b.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert site.get("/assets/gone.js").status_code == 404
    assert site.get("/favicon.svg").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"])
def test_files_beside_the_web_ui_are_out_of_reach(site: TestClient, path: str) -> None:
    assert "secret" not in site.get(path).text


@pytest.mark.parametrize("path", ["/terraform/nothing", "/auth/nothing", "/users/x/y/z", "/openapi.json/x"])
def test_addresses_of_the_api_never_give_the_page(site: TestClient, path: str) -> None:
    answer = site.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_audit_is_a_page_for_browsers_and_a_list_for_programs(site: TestClient) -> None:
    assert site.get("/audit", headers={"Accept": "text/html,*/*"}).text == "<title>the page</title>"
    assert site.get("/audit").status_code == 401


def test_wrong_method_is_405(site: TestClient) -> None:
    answer = site.delete("/healthz")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert site.post("/some/page").status_code == 404


def test_web_ui_not_built_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_FRONTEND_DIR", str(tmp_path / "nowhere"))
    get_settings.cache_clear()
    answer = people.client().get("/")
    get_settings.cache_clear()
    assert answer.status_code == 404
    assert "make install" in answer.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/auth/me", "/assets/gone.js", "/terraform/broken"])
def test_every_answer_carries_the_security_headers(session: Session, site: TestClient, path: str) -> None:
    headers = site.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "ws://127.0.0.1:8080" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


def test_answers_of_the_api_are_not_kept_by_caches(site: TestClient) -> None:
    assert site.get("/auth/me").headers["cache-control"] == "no-store"


def test_unexpected_error_is_a_problem_without_the_detail(site: TestClient) -> None:
    answer = site.get("/terraform/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]


def test_request_id_of_the_sender_comes_back_and_a_bad_one_does_not(site: TestClient) -> None:
    assert site.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert site.get("/healthz", headers={"X-Request-Id": "a b\t"}).headers["x-request-id"] != "a b"


def test_access_log_holds_no_query_and_no_credential(
    session: Session, site: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    member = people.person(session, people.organization(session), Role.VIEWER)
    session.commit()
    with caplog.at_level("INFO", logger="app.access"):
        site.get("/login?link=the-secret", headers={"Authorization": f"Bearer {member.token}"})
        site.get("/auth/me", headers={"Authorization": f"Bearer {member.token}"})
        site.get("/healthz")
    first, second = (vars(record) for record in caplog.records)
    assert (first["path"], first["status"], second["path"], second["actor"]) == ("/login", 200, "/auth/me", member.id)
    assert "secret" not in str(first)
    assert member.token not in str(first) + str(second)


def test_body_beyond_the_limit_is_413_declared_or_not(session: Session, site: TestClient) -> None:
    big = b'{"email": "' + b"x" * main._DEFAULT_BODY_BYTES + b'"}'
    declared = site.post("/auth/login", content=big, headers={"Content-Type": "application/json"})

    def chunks() -> Iterator[bytes]:
        yield from (big[start : start + 65536] for start in range(0, len(big), 65536))

    streamed = site.post("/auth/login", content=chunks(), headers={"Content-Type": "application/json"})
    for answer in (declared, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert answer.json()["limit_bytes"] == main._DEFAULT_BODY_BYTES
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_nul_character_in_a_query_is_422(session: Session, site: TestClient) -> None:
    member = people.person(session, people.organization(session), Role.ADMIN)
    session.commit()
    answer = people.client(member).get("/audit", params={"target_id": "a\0b"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/terraform/halt", '{"scope": "workspace", "workspace": "\\ud800", "reason": "x"}'),
        ("/terraform/halt/drills", '{"workspace": "\\udfff"}'),
        (
            "/terraform/notifications",
            '{"name": "n", "url": "https://a.b", "events": ["waiting"], "workspaces": ["\\ud800"]}',
        ),
    ],
)
def test_half_a_character_in_a_body_is_422(session: Session, path: str, body: str) -> None:
    member = people.person(session, people.organization(session), Role.ADMIN)
    session.commit()
    answer = people.client(member).post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "surrogate" in answer.json()["detail"]


def test_body_that_is_no_json_is_named_and_placed(session: Session) -> None:
    member = people.person(session, people.organization(session), Role.ADMIN)
    session.commit()
    answer = people.client(member).post(
        "/terraform/runs", content=b'{"workspace": ', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body", "message": "is not JSON, at character 14: Expecting value"}]


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b'{"reason": "x"}', "application/x-www-form-urlencoded", "is no JSON object: send one, with the header"),
        (b"[]", "application/json", "is no JSON object: send one"),
        (b"", "application/json", "is missing: send a JSON object"),
        (b"", None, "is missing: send a JSON object, with the header `Content-Type: application/json`"),
    ],
    ids=["form", "list", "nothing", "nothing at all"],
)
def test_body_that_is_no_object_says_what_to_send(
    session: Session, content: bytes, kind: str | None, said: str
) -> None:
    """What `curl -d` sends is a form, and somebody may meet that for the first time in an emergency."""
    member = people.person(session, people.organization(session), Role.ADMIN)
    session.commit()
    headers = {"Content-Type": kind} if kind is not None else {}
    answer = people.client(member).post("/terraform/halt", content=content, headers=headers)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "body"
    assert error["message"].startswith(said)


def test_refusal_of_several_fields_is_said_without_the_name_of_an_exception(session: Session) -> None:
    member = people.person(session, people.organization(session), Role.ADMIN)
    session.commit()
    body = {
        "name": "x",
        "url": "https://hooks.example.org",
        "events": ["waiting"],
        "workspaces": ["ws-1"],
        "tag": "prod",
    }
    answer = people.client(member).post("/terraform/notifications", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("body: name workspaces or a tag, not both")


def test_document_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--openapi"]) == 0
    document = json.loads(capsys.readouterr().out)
    known_tags = {tag["name"] for tag in document["tags"]}
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    assert all(name.islower() and name.replace("_", "").isalnum() for name in ids)
    for path, method, operation in operations:
        assert set(operation["tags"]) <= known_tags, f"{method} {path} has a tag without a description"
        assert operation.get("description") or operation.get("summary"), f"{method} {path} has no description"
    assert document["security"] == [{"token": []}, {"session": []}]
    public = {path for path, _, operation in operations if operation.get("security") == []}
    assert public == {"/healthz", "/readyz", "/auth/login", "/auth/link"}


def test_document_is_for_those_who_signed_in(session: Session) -> None:
    member = people.person(session, people.organization(session), Role.VIEWER)
    session.commit()
    assert people.client().get("/openapi.json").status_code == 401
    assert people.client(member).get("/openapi.json").json()["info"]["title"] == "Sluice"


def test_main_without_arguments_says_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 2
    assert "--openapi" in capsys.readouterr().err
