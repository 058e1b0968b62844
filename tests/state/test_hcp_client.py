"""``HcpClient`` against a server on loopback that answers as HCP Terraform's documentation says."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.core.settings import Settings
from app.state.errors import StateUnreadable
from app.state.hcp_client import HcpClient
from app.state.hcp_errors import (
    HcpConflict,
    HcpError,
    HcpForbidden,
    HcpInvalid,
    HcpNotConfigured,
    HcpNotFound,
    HcpRateLimited,
    HcpUnauthorized,
    HcpUnavailable,
    HcpUnexpected,
)
from app.state.hcp_schemas import (
    HcpConfigurationVersion,
    HcpRunIn,
    HcpStateVersion,
)
from app.state.hcp_transport import HcpRetry, HcpTransport
from tests.factories.scene import state_document
from tests.state.hcp_calls import CALLS, CONFIGURATION, RUN, STATE, WORKSPACE
from tests.state.hcp_server import Answer, Asked, HcpServer, page, refusal, resource, running_hcp

TOKEN = "hcp-token-1"


@pytest.fixture
def server() -> Iterator[HcpServer]:
    with running_hcp() as running:
        yield running


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(server: HcpServer, slept: list[float]) -> Iterator[HcpClient]:
    transport = HcpTransport(
        server.address,
        TOKEN,
        retry=HcpRetry(attempts=3, first_seconds=0.5, longest_seconds=30),
        sleep=slept.append,
        chance=lambda: 0.0,
    )
    with HcpClient(transport) as opened:
        yield opened


@pytest.mark.parametrize("name", CALLS)
def test_call_is_sent_as_documented(client: HcpClient, server: HcpServer, name: str) -> None:
    act, answer, method, path, document = CALLS[name]
    server.answers(answer)
    act(client)
    (asked,) = server.asked
    assert (asked.method, asked.path) == (method, f"/api/v2/{path}")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    if document is None:
        assert asked.body == b""
    else:
        assert asked.document == document
        assert asked.headers["content-type"] == "application/vnd.api+json"


def test_resources_are_read_with_their_types(client: HcpClient, server: HcpServer) -> None:
    server.answers(WORKSPACE, RUN, STATE, CONFIGURATION)
    workspace = client.workspace("acme", "net")
    assert (workspace.id, workspace.terraform_version, workspace.tag_names) == ("ws-1", "1.11.0", ["prod"])
    run = client.run("run-1")
    assert run.created_at is not None
    assert (run.status, run.has_changes, run.created_at.year) == ("planned", True, 2026)
    assert "archive.example" not in repr(client.state_version("sv-1"))
    assert client.configuration_version("cv-1").upload_url == "https://archive.example/up"


LISTS: dict[str, tuple[Callable[[HcpClient], Iterator[Any]], str, dict[str, str], dict[str, Any]]] = {
    "organizations": (lambda c: c.organizations(), "organizations", {}, {"name": "x"}),
    "workspaces": (
        lambda c: c.workspaces("acme", search="ne"),
        "organizations/acme/workspaces",
        {"search[name]": "ne"},
        {"name": "x"},
    ),
    "runs": (lambda c: c.runs("ws-1"), "workspaces/ws-1/runs", {}, {"status": "applied"}),
    "state_versions": (
        lambda c: c.state_versions("acme", "net"),
        "state-versions",
        {"filter[organization][name]": "acme", "filter[workspace][name]": "net"},
        {"serial": 1},
    ),
    "configuration_versions": (
        lambda c: c.configuration_versions("ws-1"),
        "workspaces/ws-1/configuration-versions",
        {},
        {"status": "uploaded"},
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_list_reads_every_page_when_it_is_needed(client: HcpClient, server: HcpServer, name: str) -> None:
    act, path, query, attributes = LISTS[name]
    items = [resource("things", f"id-{number}", **attributes) for number in range(5)]
    server.answers(page(items[:2], 1, 2), page(items[2:4], 2, 3), page(items[4:], 3, None))
    found = act(client)
    assert next(found).id == "id-0"
    assert len(server.asked) == 1
    assert [item.id for item in found] == ["id-1", "id-2", "id-3", "id-4"]
    assert [asked.path for asked in server.asked] == [f"/api/v2/{path}"] * 3
    for number, asked in enumerate(server.asked, 1):
        assert asked.query == {**query, "page[number]": str(number), "page[size]": "100"}


def test_list_whose_pages_go_round_ends(client: HcpClient, server: HcpServer) -> None:
    server.answers(page([], 1, 2), page([], 2, 1))
    with pytest.raises(HcpUnexpected, match="page 1"):
        list(client.runs("ws-1"))


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": {"id": "x"}}, [], {"data": ["x"]}])
def test_list_that_is_none_is_unexpected(client: HcpClient, server: HcpServer, document: Any) -> None:
    server.answers(Answer(document=document))
    with pytest.raises(HcpUnexpected):
        list(client.runs("ws-1"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(raw=b"<html>"),
        Answer(document={"data": []}),
        Answer(document={"data": {"type": "runs"}}),
        Answer(document={"data": {"id": "run-1", "attributes": {"status": None}}}),
    ],
)
def test_resource_that_is_none_is_unexpected(client: HcpClient, server: HcpServer, answer: Answer) -> None:
    server.answers(answer)
    with pytest.raises(HcpUnexpected):
        client.run("run-1")


REFUSALS: list[tuple[int, type[HcpError]]] = [
    (400, HcpInvalid),
    (401, HcpUnauthorized),
    (403, HcpForbidden),
    (404, HcpNotFound),
    (409, HcpConflict),
    (413, HcpInvalid),
    (418, HcpUnexpected),
    (422, HcpInvalid),
]


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
def test_refusal_has_its_type_and_words_and_is_not_tried_again(
    client: HcpClient, server: HcpServer, slept: list[float], status: int, kind: type[HcpError]
) -> None:
    server.answers(refusal(status, "a title", "a detail"))
    with pytest.raises(kind) as caught:
        client.run("run-1")
    assert type(caught.value) is kind
    assert "a title: a detail" in caught.value.detail
    assert caught.value.fields["http_status"] == status
    assert caught.value.fields["errors"][0]["title"] == "a title"
    assert TOKEN not in caught.value.detail
    assert (len(server.asked), slept) == (1, [])


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b'{"errors": "text"}', b'{"errors": ["text"]}'])
def test_refusal_without_proper_errors_is_still_typed(client: HcpClient, server: HcpServer, body: bytes) -> None:
    server.answers(Answer(404, raw=body))
    with pytest.raises(HcpNotFound):
        client.run("run-1")


# Trying again.


@pytest.mark.parametrize("failure", [Answer(500), Answer(502, raw=b"<html>"), Answer(503), Answer(504), Answer(0)])
def test_reading_is_tried_again_with_doubling_waits(
    client: HcpClient, server: HcpServer, slept: list[float], failure: Answer
) -> None:
    server.answers(failure, failure, RUN)
    assert client.run("run-1").status == "planned"
    assert slept == [0.5, 1.0]


def test_failure_that_stays_is_unavailable(client: HcpClient, server: HcpServer, slept: list[float]) -> None:
    server.always = lambda _: Answer(503)
    with pytest.raises(HcpUnavailable):
        client.run("run-1")
    assert len(server.asked) == 3
    assert len(slept) == 2


@pytest.mark.parametrize("failure", [Answer(500), Answer(0)])
def test_creating_is_not_tried_again(client: HcpClient, server: HcpServer, failure: Answer) -> None:
    server.always = lambda _: failure
    with pytest.raises(HcpUnavailable):
        client.create_run("ws-1", HcpRunIn(message="once"))
    assert len(server.asked) == 1


@pytest.mark.parametrize("name", ["change_workspace", "change_variable", "delete_variable"])
def test_changes_that_are_idempotent_are_tried_again(client: HcpClient, server: HcpServer, name: str) -> None:
    act, answer, *_ = CALLS[name]
    server.answers(Answer(500), answer)
    act(client)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"X-RateLimit-Reset": "0.25"}, 0.25),
        ({"Retry-After": "2", "X-RateLimit-Reset": "9"}, 2.0),
        ({"X-RateLimit-Reset": "3600"}, 30.0),
        ({"Retry-After": "soon"}, 0.5),
        ({}, 0.5),
    ],
)
def test_rate_limit_is_waited_out_for_every_method(
    client: HcpClient, server: HcpServer, slept: list[float], headers: dict[str, str], wait: float
) -> None:
    limited = Answer(429, {"errors": [{"status": "429", "title": "too many requests"}]}, headers)
    server.answers(limited, RUN, limited, RUN)
    client.run("run-1")
    client.create_run("ws-1", HcpRunIn(message="once"))
    assert slept == [wait, wait]


def test_rate_limit_that_stays_says_how_long(client: HcpClient, server: HcpServer) -> None:
    server.always = lambda _: refusal(429, "too many requests", Retry_After="12")
    with pytest.raises(HcpRateLimited) as caught:
        client.run("run-1")
    assert caught.value.fields["retry_after_seconds"] == 12
    assert len(server.asked) == 3


# States and configurations.


def test_state_is_downloaded_from_where_it_lies(client: HcpClient, server: HcpServer) -> None:
    with running_hcp() as archive:
        archive.answers(Answer(503), Answer(raw=state_document(7)))
        version = HcpStateVersion(id="sv-1", serial=7, hosted_state_download_url=f"{archive.address}/object/secret")
        assert json.loads(client.download_state(version))["serial"] == 7
        assert all("authorization" not in asked.headers for asked in archive.asked)
    own = HcpStateVersion(id="sv-1", serial=7, hosted_state_download_url=f"{server.address}/_archivist/x")
    server.answers(Answer(raw=b"{}"))
    client.download_state(own)
    assert server.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_token_does_not_follow_a_redirect_to_another_host(client: HcpClient, server: HcpServer) -> None:
    with running_hcp() as archive:
        archive.answers(Answer(raw=b"{}"))
        server.answers(Answer(307, headers={"Location": f"{archive.address}/object"}))
        version = HcpStateVersion(id="sv-1", serial=7, hosted_state_download_url=f"{server.address}/x")
        assert client.download_state(version) == b"{}"
        assert "authorization" not in archive.asked[0].headers


def test_configuration_is_uploaded_without_the_token(client: HcpClient, server: HcpServer) -> None:
    with running_hcp() as archive:
        archive.answers(Answer(500), Answer(200))
        version = HcpConfigurationVersion(id="cv-1", status="pending", upload_url=f"{archive.address}/object/up")
        client.upload_configuration(version, b"tar.gz")
        assert [(asked.method, asked.body) for asked in archive.asked] == [("PUT", b"tar.gz")] * 2
        assert archive.asked[0].headers["content-type"] == "application/octet-stream"
        assert "authorization" not in archive.asked[0].headers


def test_versions_without_an_address_are_unexpected(client: HcpClient) -> None:
    with pytest.raises(HcpUnexpected):
        client.download_state(HcpStateVersion(id="sv-1", serial=1))
    with pytest.raises(HcpUnexpected):
        client.upload_configuration(HcpConfigurationVersion(id="cv-1", status="uploaded"), b"")


def test_workspace_without_a_state_has_none_and_a_missing_workspace_is_not_found(
    client: HcpClient, server: HcpServer
) -> None:
    server.answers(refusal(404, "not found"), WORKSPACE)
    assert client.current_state_version("ws-1") is None
    server.answers(refusal(404, "not found"), refusal(404, "not found"))
    with pytest.raises(HcpNotFound):
        client.current_state_version("ws-9")


def test_variable_that_is_gone_already_is_deleted(client: HcpClient, server: HcpServer) -> None:
    server.answers(Answer(0), refusal(404, "not found"), WORKSPACE)
    client.delete_variable("ws-1", "var-1")


def test_what_is_no_state_is_not_sent(client: HcpClient, server: HcpServer) -> None:
    with pytest.raises(StateUnreadable):
        client.create_state_version("ws-1", b"{}")
    assert server.asked == []


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_that_are_none_never_leave(client: HcpClient, server: HcpServer, name: str) -> None:
    with pytest.raises(HcpInvalid):
        client.organization(name)
    assert server.asked == []


def test_names_stay_inside_their_part_of_the_path(client: HcpClient, server: HcpServer) -> None:
    server.always = lambda _: WORKSPACE
    client.workspace("acme", "a/../b?c=d")
    assert server.asked[0].path == "/api/v2/organizations/acme/workspaces/a%2F..%2Fb%3Fc%3Dd"


def test_settings_without_a_token_give_no_client() -> None:
    with pytest.raises(HcpNotConfigured, match="SLUICE_HCP_TOKEN"):
        HcpClient.from_settings(Settings(hcp_token=None))


def test_settings_with_a_token_give_a_client(server: HcpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_HCP_TOKEN", TOKEN)
    monkeypatch.setenv("SLUICE_HCP_URL", f"{server.address}/")
    server.answers(RUN)
    with HcpClient.from_settings(Settings()) as client:
        assert client.run("run-1").id == "run-1"
    asked: Asked = server.asked[0]
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.path == "/api/v2/runs/run-1"
