import asyncio
import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from app.core.db import unit_of_work
from app.identity import guarding
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.service import Denied
from app.progress import event_stream, watching
from app.progress.hub import Hub
from tests.progress.conftest import Streams
from tests.support import people

pytestmark = pytest.mark.races
SECONDS = 20


def events(response: httpx.Response) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield each event's fields, and the comments before it."""
    fields: dict[str, str] = {}
    comments: list[str] = []
    for line in response.iter_lines():
        if line.startswith(":"):
            comments.append(line)
            if comments[1:]:
                yield {}, comments
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields, comments
            fields = {}


def stream(served: Streams, run_id: str, **headers: str) -> Any:
    address = f"http://{served.address}/terraform/runs/{run_id}/progress/events"
    query = {key: headers.pop(key) for key in ("after", "heartbeat") if key in headers}
    own = {"Authorization": f"Bearer {served.viewer.token}", **headers}
    return httpx.stream("GET", address, params=query, headers=own, timeout=SECONDS, trust_env=False)


def records(served: Streams, run_id: str, **headers: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with stream(served, run_id, **headers) as response:
        assert response.status_code == 200, response.read()
        for fields, _ in events(response):
            if fields.get("event") == "records":
                found += json.loads(fields["data"])["records"]
    return found


def test_event_stream_replays_then_follows_then_ends(served: Streams) -> None:
    run_id = served.new()
    served.append(run_id, "one", "two")
    with stream(served, run_id) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in response.headers
        arriving = events(response)
        first = next(item for item, _ in arriving if "data" in item)
        assert (first["event"], first["id"]) == ("records", "2")
        assert [record["text"] for record in json.loads(first["data"])["records"]] == ["one", "two"]
        served.append(run_id, "three")
        second = next(item for item, _ in arriving if "data" in item)
        assert [record["offset"] for record in json.loads(second["data"])["records"]] == [2]
        served.close(run_id)
        last = next(item for item, _ in arriving if "data" in item)
        assert json.loads(last["data"])["closed"] is True
        assert list(arriving) == []


@pytest.mark.parametrize(
    "headers", [{"after": "150"}, {"Last-Event-ID": "150"}, {"after": "3", "Last-Event-ID": "150"}]
)
def test_event_stream_resumes_where_it_is_told(served: Streams, headers: dict[str, str]) -> None:
    run_id = served.new()
    served.append(run_id, *[str(number) for number in range(200)])
    served.close(run_id)
    assert [record["offset"] for record in records(served, run_id, **headers)] == list(range(150, 200))


def test_event_stream_of_silence_gives_comments(served: Streams) -> None:
    with stream(served, served.new(), heartbeat="1") as response:
        fields, comments = next(found for found in events(response) if "retry" not in found[0])
    assert (fields, comments) == ({}, [": open", ": ping"])


def test_event_stream_from_a_foreign_origin_is_refused(served: Streams) -> None:
    with stream(served, served.new(), Origin="http://evil.example") as response:
        assert response.status_code == 403


def test_event_stream_of_another_tenant_does_not_exist(served: Streams) -> None:
    with unit_of_work() as session:
        stranger = people.person(session, people.organization(session, "other"), Role.ADMIN)
    with stream(served, served.new(), Authorization=f"Bearer {stranger.token}") as response:
        assert response.status_code == 404


def test_event_stream_is_cut_when_the_token_is_revoked(served: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.pages import PageParams

    monkeypatch.setattr(guarding, "AUTHORIZATION_SECONDS", 0.2)
    with unit_of_work() as session:
        token_id = identity.list_tokens(session, served.viewer.actor, PageParams(limit=10, cursor=None)).items[0].id
    with stream(served, served.new()) as response:
        arriving = events(response)
        with unit_of_work() as session:
            identity.revoke_token(session, served.viewer.actor, token_id)
        denied = next(item for item, _ in arriving if item.get("event") == "denied")
    assert json.loads(denied["data"])["code"] == "unauthenticated"


@pytest.mark.parametrize("is_revoked", [False, True])
def test_answer_to_a_client_that_takes_nothing_is_broken_off(
    streams: Streams, monkeypatch: pytest.MonkeyPatch, is_revoked: bool
) -> None:
    run_id = streams.new()
    streams.append(run_id, "one")
    monkeypatch.setattr(watching, "SEND_SECONDS", 60 if is_revoked else 0.1)
    monkeypatch.setattr(event_stream, "LAST_SECONDS", 0.1)
    if is_revoked:
        monkeypatch.setattr(
            event_stream.Guard, "denies", AsyncMock(return_value=Denied("unauthenticated", "not any more"))
        )
    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if len(sent) > 2:
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("the client stays")

    async def serve() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        answer = event_stream.EventStream(Request(scope), Hub(), run_id, streams.organization_id, 0, 1, 15)
        await asyncio.wait_for(answer(scope, receive, send), 60)

    asyncio.run(serve())
    assert sent == ["http.response.start", *["http.response.body"] * 2]
