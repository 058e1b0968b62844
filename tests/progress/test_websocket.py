import json
import random
import threading
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from app.core import connections
from app.core.db import unit_of_work
from app.identity import guarding
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from tests.progress.conftest import Streams
from tests.support import people

pytestmark = pytest.mark.races
SECONDS = 60


def frames(socket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """Read to the end; return the records and the code that the server closed with."""
    records: list[dict[str, Any]] = []
    try:
        while True:
            frame = json.loads(socket.recv(timeout=SECONDS))
            if frame["type"] == "records":
                records += frame["records"]
    except ConnectionClosed as closed:
        return records, closed.rcvd.code if closed.rcvd is not None else 0


def texts(records: list[dict[str, Any]]) -> list[str]:
    assert [record["offset"] for record in records] == list(
        range(records[0]["offset"], records[0]["offset"] + len(records))
    )
    return [record["text"] for record in records]


def test_follow_replays_then_follows_then_closes(served: Streams) -> None:
    run_id = served.new()
    served.append(run_id, "one", "two")
    with served.watch(run_id) as socket:
        assert texts(json.loads(socket.recv(timeout=SECONDS))["records"]) == ["one", "two"]
        served.append(run_id, "three")
        assert texts(json.loads(socket.recv(timeout=SECONDS))["records"]) == ["three"]
        served.append(run_id, "four")
        served.close(run_id)
        records, code = frames(socket)
    assert texts(records) == ["four"]
    assert code == 1000


def test_follow_of_a_complete_stream_gives_it_whole(served: Streams) -> None:
    run_id = served.new()
    for number in range(40):
        served.append(run_id, *[f"{number}-{index}" for index in range(100)])
    served.close(run_id)
    with served.watch(run_id, after=3900) as socket:
        records, code = frames(socket)
    assert (len(records), records[0]["offset"], code) == (100, 3900, 1000)


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_follow_from_a_foreign_origin_is_refused(served: Streams, origin: str) -> None:
    with served.watch(served.new(), origin=origin) as socket:
        assert frames(socket) == ([], connections.CLOSE_FORBIDDEN)


def test_follow_from_our_own_origin_is_served(served: Streams) -> None:
    run_id = served.new()
    served.close(run_id)
    with served.watch(run_id, origin=f"http://{served.address}") as socket:
        assert frames(socket) == ([], 1000)


def test_follow_without_a_credential_is_refused(served: Streams) -> None:
    run_id = served.new()
    for token in ("", "slc_wrong"):
        with served.watch(run_id, token=token) as socket:
            assert frames(socket) == ([], connections.CLOSE_UNAUTHENTICATED)


def test_follow_another_tenant_s_run_does_not_exist(served: Streams) -> None:
    with unit_of_work() as session:
        stranger = people.person(session, people.organization(session, "other"), Role.ADMIN)
    with served.watch(served.new(), token=stranger.token) as socket:
        assert frames(socket) == ([], connections.CLOSE_NOT_FOUND)


def test_follow_is_cut_when_the_token_is_revoked(served: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "AUTHORIZATION_SECONDS", 0.2)
    run_id = served.new()
    with unit_of_work() as session:
        token_id = identity.list_tokens(session, served.viewer.actor, _page()).items[0].id
    with served.watch(run_id) as socket:
        served.append(run_id, "before")
        assert texts(json.loads(socket.recv(timeout=SECONDS))["records"]) == ["before"]
        with unit_of_work() as session:
            identity.revoke_token(session, served.viewer.actor, token_id)
        records, code = frames(socket)
    assert code == connections.CLOSE_UNAUTHENTICATED
    assert records == []


@pytest.mark.parametrize("change", [{"is_disabled": True}, {"roles": []}], ids=["disabled", "right lost"])
def test_follow_is_cut_when_its_person_may_no_longer(
    served: Streams, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    monkeypatch.setattr(guarding, "AUTHORIZATION_SECONDS", 0.2)
    run_id = served.new()
    with unit_of_work() as session:
        admin = people.person(session, served.organization_id, Role.ADMIN)
    with served.watch(run_id) as socket:
        served.append(run_id, "before")
        assert texts(json.loads(socket.recv(timeout=SECONDS))["records"]) == ["before"]
        with unit_of_work() as session:
            identity.update_user(session, admin.actor, served.viewer.actor.id, UserChange(**change))
        records, code = frames(socket)
    assert code == (connections.CLOSE_UNAUTHENTICATED if "is_disabled" in change else connections.CLOSE_FORBIDDEN)
    assert records == []


def _page() -> Any:
    from app.core.pages import PageParams

    return PageParams(limit=10, cursor=None)


def test_follow_reconnecting_at_random_points_gives_the_exact_log(served: Streams) -> None:
    run_id = served.new()
    expected = [f"line {number}" for number in range(400)]

    def write() -> None:
        dice = random.Random(1)
        left = list(expected)
        while left:
            size = dice.randint(1, 12)
            served.append(run_id, *left[:size])
            del left[:size]
            time.sleep(dice.random() * 0.02)
        served.close(run_id)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    dice = random.Random(2)
    seen: list[dict[str, Any]] = []
    for _ in range(200):
        cursor = seen[-1]["offset"] + 1 if seen else 0
        with served.watch(run_id, after=cursor) as socket:
            try:
                for _ in range(dice.randint(1, 4)):
                    frame = json.loads(socket.recv(timeout=SECONDS))
                    seen += frame.get("records", [])
            except ConnectionClosed:
                break
    writer.join(60)
    assert texts(seen) == expected


@pytest.mark.parametrize("with_redis", [True, False])
def test_follow_with_and_without_redis(request: pytest.FixtureRequest, with_redis: bool) -> None:
    if with_redis:
        request.getfixturevalue("redis_url")
    served: Streams = request.getfixturevalue("served")
    run_id = served.new()
    with served.watch(run_id) as socket:
        for number in range(5):
            served.append(run_id, str(number))
            assert texts(json.loads(socket.recv(timeout=SECONDS))["records"]) == [str(number)]


def test_slow_watcher_slows_nobody_and_misses_nothing(served: Streams) -> None:
    run_id = served.new()
    line = "x" * 2000
    with served.watch(run_id, queue=1) as slow, served.watch(run_id) as quick:
        for _ in range(60):
            served.append(run_id, *[line] * 100)
        served.close(run_id)
        records, code = frames(quick)
        assert (len(texts(records)), code) == (6000, 1000)
        # It has read nothing so far: what it is owed is still there.
        records, code = frames(slow)
        assert (len(texts(records)), code) == (6000, 1000)
