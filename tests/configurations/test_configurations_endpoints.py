from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from app.configurations import upload
from app.configurations.endpoints import router
from app.core.permissions import Actor, Permission
from app.core.settings import get_settings
from tests.configurations.archives import archive, member, of_files
from tests.workspaces.api import client_of

PATH = "/terraform/configurations"
GZIP = {"content-type": "application/gzip"}
DATA = of_files({"main.tf": ""})


@pytest.fixture
def client(actor: Actor) -> Iterator[TestClient]:
    with client_of(actor, router) as client:
        yield client


def test_upload_body_then_form_of_the_same_content_is_201_then_200(client: TestClient) -> None:
    first = client.post(PATH, content=DATA, headers=GZIP)
    again = client.post(PATH, files={"archive": ("a.tar.gz", DATA, "application/gzip")})
    assert (first.status_code, again.status_code) == (201, 200), first.text + again.text
    body = first.json()
    assert body["created"] is True
    assert again.json() == {**body, "created": False}
    assert set(body) == {"id", "digest", "source", "size_bytes", "file_count", "created_at", "removed_at", "created"}
    shown = client.get(f"{PATH}/{body['id']}").json()
    assert shown["digest"] == body["digest"]


def test_upload_over_the_limit_is_413_whether_it_says_so_or_not(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = get_settings().model_copy(update={"max_upload_bytes": 1024})
    monkeypatch.setattr(upload, "get_settings", lambda: small)

    def chunks() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 1024

    for answer in (
        client.post(PATH, content=b"x" * 4096, headers=GZIP),
        client.post(PATH, content=chunks(), headers=GZIP),
        client.post(PATH, files={"archive": ("a", b"x" * 200_000)}),
    ):
        assert answer.status_code == 413, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["limit_bytes"] == 1024


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{}", {"content-type": "application/json"}),
        (b"", {}),
        (b"broken", GZIP),
        (b"broken", {"content-type": "multipart/form-data; boundary=x"}),
        (b"broken", {"content-type": "multipart/form-data"}),
    ],
)
def test_upload_of_anything_else_is_422_with_the_field(
    client: TestClient, content: bytes, headers: dict[str, str]
) -> None:
    answer = client.post(PATH, content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "archive"


def test_upload_of_a_form_without_the_field_is_422(client: TestClient) -> None:
    answer = client.post(PATH, files={"other": ("a", DATA)})
    assert answer.status_code == 422
    assert "archive" in answer.json()["detail"]


def test_upload_names_the_entry_that_it_refuses(client: TestClient) -> None:
    answer = client.post(PATH, content=archive(member("../x", b"")), headers=GZIP)
    assert answer.status_code == 422
    assert answer.json()["code"] == "archive_refused"
    assert answer.json()["entry"] == "../x"


def test_upload_needs_its_permission(actor: Actor) -> None:
    reader = replace(actor, permissions=frozenset({Permission.CONFIGURATIONS_READ}))
    with client_of(reader, router) as client:
        assert client.post(PATH, content=DATA, headers=GZIP).status_code == 403
        assert client.get(f"{PATH}/conf-none").status_code == 404
    with client_of(None, router) as client:
        assert client.post(PATH, content=DATA, headers=GZIP).status_code == 401
