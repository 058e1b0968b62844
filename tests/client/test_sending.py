"""What is sent again and what is not, and how answers are read: a transport stands for the network."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.client import ApiError, AsyncSluiceClient, LocalProblem, SluiceClient, UnexpectedAnswer, Unreachable, calls
from app.client import sync as client_module
from app.client.retry import Attempts

TOKEN = "slc_very-secret"
RUN = {
    "id": "run-1",
    "kind": "plan",
    "status": "queued",
    "url": "http://x/run-1",
    "workspace": {"id": "ws-1", "name": "w", "tags": []},
    "a_field_of_tomorrow": 1,
}


class Network:
    """Answers one after the other; an exception is raised instead."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    return waited


def client(network: Callable[[httpx.Request], httpx.Response], **options: Any) -> SluiceClient:
    return SluiceClient("http://sluice.test/", TOKEN, transport=httpx.MockTransport(network), **options)


def test_send_get_is_tried_again_through_outage(slept: list[float]) -> None:
    network = Network(
        httpx.ConnectError("refused"), httpx.ReadError("gone"), httpx.Response(503), httpx.Response(200, json=RUN)
    )
    said: list[str] = []
    run = client(network, say=said.append).send(calls.get_run("run-1"), patience_seconds=60)
    assert run.id == "run-1"
    assert run.document["a_field_of_tomorrow"] == 1
    assert len(network.requests) == 4
    assert len(slept) == 3
    assert len(said) == 1
    assert "SLUICE_URL" in said[0]


def test_send_run_request_keeps_its_key_when_tried_again() -> None:
    network = Network(httpx.ReadTimeout("slow"), httpx.Response(502), httpx.Response(201, json=RUN))
    client(network).send(calls.request_run("w", message="m"))
    keys = {request.headers["Idempotency-Key"] for request in network.requests}
    bodies = {request.content for request in network.requests}
    assert len(network.requests) == 3
    assert len(keys) == len(bodies) == 1
    assert calls.request_run("w").idempotency_key not in keys


def test_send_decision_that_may_have_arrived_is_not_sent_twice() -> None:
    network = Network(httpx.ReadError("gone"), httpx.Response(200, json=RUN))
    with pytest.raises(Unreachable, match="broke off"):
        client(network).send(calls.decide("run-1", "approve"))
    assert len(network.requests) == 1


def test_send_override_carries_reason_time_and_fingerprint_and_nothing_that_was_not_said() -> None:
    network = Network(httpx.Response(200, json=RUN), httpx.Response(200, json=RUN))
    client(network).send(calls.override("run-1", reason="why", expires_in_seconds=60, fingerprint="f"))
    client(network).send(calls.override("run-1", reason="why"))
    assert [json.loads(request.content) for request in network.requests] == [
        {"reason": "why", "expires_in_seconds": 60, "fingerprint": "f"},
        {"reason": "why"},
    ]
    assert network.requests[0].url.path == "/terraform/runs/run-1/override"


def test_send_decision_that_never_arrived_is_sent_again() -> None:
    network = Network(httpx.ConnectError("refused"), httpx.Response(429), httpx.Response(200, json=RUN))
    assert client(network).send(calls.decide("run-1", "approve")).id == "run-1"
    assert len(network.requests) == 3


def test_send_refusal_is_a_typed_error() -> None:
    problem = {
        "type": "urn:sluice:error:invalid",
        "title": "The request is not valid",
        "status": 422,
        "detail": "name: is taken",
        "code": "invalid",
        "errors": [{"field": "name", "message": "is taken"}],
        "limit_bytes": 3,
    }
    network = Network(httpx.Response(422, json=problem))
    with pytest.raises(ApiError) as refused:
        client(network).send(calls.create_stack("x"))
    error = refused.value
    assert (error.status, error.code, error.title) == (422, "invalid", "The request is not valid")
    assert error.errors == [{"field": "name", "message": "is taken"}]
    assert error.problem() == problem
    assert len(network.requests) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, text="<html>a page</html>"), "something else than Sluice"),
        (httpx.Response(200, json={"other": 1}), "something else than Sluice"),
        (httpx.Response(404, text="nginx"), "address of Sluice"),
        (httpx.Response(301, headers={"location": "https://sluice.test/"}), "redirects to https://sluice.test/"),
    ],
)
def test_send_answer_of_another_server_says_so(answer: httpx.Response, words: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=words):
        client(Network(answer)).send(calls.get_run("run-1"))


def test_send_waits_as_long_as_the_server_asks(slept: list[float]) -> None:
    network = Network(httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(200, json=RUN))
    client(network).send(calls.get_run("run-1"), patience_seconds=60)
    assert slept == [7.0]


def test_items_walks_pages_up_to_the_limit() -> None:
    pages = {None: ([1, 2], "a"), "a": ([3, 4], "b"), "b": ([5], None)}

    def network(request: httpx.Request) -> httpx.Response:
        items, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"items": items, "next_cursor": cursor})

    opened = client(network)
    assert list(opened.items(lambda cursor: calls.listing("/x", cursor=cursor))) == [1, 2, 3, 4, 5]
    assert list(opened.items(lambda cursor: calls.listing("/x", cursor=cursor), limit=3)) == [1, 2, 3]


def test_token_is_in_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    opened = client(Network(httpx.Response(200, json=RUN)))
    opened.send(calls.get_run("run-1"))
    assert TOKEN not in repr(opened)
    assert TOKEN not in str(vars(opened)["_http"].headers)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["slc_a b", "slc_\N{SNOWMAN}", "slc_a\nslc_b"])
def test_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(LocalProblem, match="SLUICE_TOKEN"):
        SluiceClient("http://sluice.test", token)


@pytest.mark.parametrize("url", ["sluice.test", "ftp://sluice.test", "http://", ""])
def test_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LocalProblem, match="SLUICE_URL"):
        SluiceClient(url, TOKEN)


def test_async_client_tries_again_and_walks_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_sleep(_: float) -> None:
        return None

    network = Network(
        httpx.ReadError("gone"),
        httpx.Response(201, json=RUN),
        httpx.Response(200, json={"items": [1], "next_cursor": "a"}),
        httpx.Response(200, json={"items": [2], "next_cursor": None}),
    )

    async def talk() -> list[Any]:
        transport = httpx.MockTransport(network)
        async with AsyncSluiceClient("http://sluice.test", TOKEN, transport=transport) as opened:
            assert TOKEN not in repr(opened)
            await opened.send(calls.request_run("w"))
            return [item async for item in opened.items(lambda cursor: calls.listing("/x", cursor=cursor))]

    monkeypatch.setattr("app.client.aio.asyncio.sleep", no_sleep)
    assert asyncio.run(talk()) == [1, 2]
    assert len({request.headers.get("Idempotency-Key") for request in network.requests[:2]}) == 1


def test_attempts_end_with_the_patience() -> None:
    now = 0.0

    def clock() -> float:
        return now

    attempts = Attempts(may_repeat=True, patience_seconds=10, clock=clock, dice=lambda: 1.0)
    delays = []
    with pytest.raises(Unreachable):
        while True:
            delays.append(attempts.after(Unreachable("down."), has_arrived=True))
            now += delays[-1]
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert sum(delays) <= 10
