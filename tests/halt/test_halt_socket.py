"""Who may watch halts over the WebSocket, and for how long."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from app.core.connections import CLOSE_FORBIDDEN, CLOSE_UNAUTHENTICATED
from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.halt import service, watching
from app.halt.schemas import HaltRequest
from app.identity import guarding
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from tests.factories.scene import new_scene
from tests.progress.conftest import Streams, served, streams  # noqa: F401 - fixtures
from tests.support import people
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.races
SECONDS = PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are looked at again at once."""
    monkeypatch.setattr(guarding, "AUTHORIZATION_SECONDS", 0.2)


def watch(
    served: Streams,  # noqa: F811
    token: str | None = None,
    *,
    until_dead: bool = False,
    **headers: str,
) -> ClientConnection:
    token = served.viewer.token if token is None else token
    credential = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"ws://{served.address}/terraform/ws/halt?until_dead={str(until_dead).lower()}"
    return connect(url, additional_headers={**credential, **headers}, proxy=None)


def first(socket: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(socket.recv(timeout=SECONDS))
    return frame


def code_of(socket: ClientConnection) -> tuple[int, int]:
    """Read to the end; return how many frames came, and the code that the server closed with."""
    count = 0
    try:
        while True:
            socket.recv(timeout=SECONDS)
            count += 1
    except ConnectionClosed as closed:
        return count, closed.rcvd.code if closed.rcvd is not None else 0


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_foreign_origin_is_refused(served: Streams, origin: str) -> None:  # noqa: F811
    with watch(served, Origin=origin) as socket:
        assert code_of(socket) == (0, CLOSE_FORBIDDEN)


def test_own_origin_is_served(served: Streams) -> None:  # noqa: F811
    with watch(served, Origin=f"http://{served.address}") as socket:
        assert first(socket) == {"type": "halts", "active": [], "ending": []}


@pytest.mark.parametrize("token", ["", "slc_wrong"])
def test_nobody_is_refused(served: Streams, token: str) -> None:  # noqa: F811
    with watch(served, token) as socket:
        assert code_of(socket) == (0, CLOSE_UNAUTHENTICATED)


def test_who_may_not_read_halts_is_refused(served: Streams) -> None:  # noqa: F811
    with unit_of_work() as session:
        powerless = people.account(session, served.organization_id)
    with watch(served, powerless.token) as socket:
        assert code_of(socket) == (0, CLOSE_FORBIDDEN)


def test_each_tenant_sees_its_own_halts_alone(served: Streams) -> None:  # noqa: F811
    with unit_of_work() as session:
        stranger = people.person(session, people.organization(session, "other"), Role.ADMIN)
        admin = people.person(session, served.organization_id, Role.ADMIN)
    with watch(served) as own, watch(served, stranger.token) as foreign:
        assert first(own)["active"] == first(foreign)["active"] == []
        with unit_of_work("halt") as session:
            wanted = HaltRequest(scope="organization", reason="fire")
            halt = service.halt(session, admin.actor, wanted)
        assert [seen["id"] for seen in first(own)["active"]] == [halt.id]
        with pytest.raises(TimeoutError):
            foreign.recv(timeout=3 * watching.LOOK_SECONDS)


def test_watcher_is_cut_off_when_its_token_is_revoked(served: Streams) -> None:  # noqa: F811
    with unit_of_work() as session:
        token_id = identity.list_tokens(session, served.viewer.actor, PageParams(limit=10, cursor=None)).items[0].id
    with watch(served) as socket:
        first(socket)
        with unit_of_work() as session:
            identity.revoke_token(session, served.viewer.actor, token_id)
        assert code_of(socket) == (0, CLOSE_UNAUTHENTICATED)


def test_watcher_is_cut_off_when_its_person_is_disabled(served: Streams) -> None:  # noqa: F811
    with unit_of_work() as session:
        admin = people.person(session, served.organization_id, Role.ADMIN)
    with watch(served) as socket:
        first(socket)
        with unit_of_work() as session:
            identity.update_user(session, admin.actor, served.viewer.actor.id, UserChange(is_disabled=True))
        assert code_of(socket) == (0, CLOSE_UNAUTHENTICATED)


def test_who_waits_for_the_end_of_a_halt_is_not_shown_what_was_before_it(
    served: Streams,  # noqa: F811
    sent_jobs: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody watched a moment ago, and what they saw is kept for whoever comes next."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 60)
    scene = new_scene()
    with unit_of_work() as session:
        admin = people.person(session, scene.organization_id, Role.ADMIN)
    scene.claimed(scene.request())
    with watch(served, admin.token) as before:
        assert first(before)["active"] == []
        scene.halt()
        with watch(served, admin.token, until_dead=True) as after:
            assert first(after)["active"][0]["runs"]["dying"] == 1


def test_watcher_outlives_a_database_that_can_not_be_asked(
    served: Streams,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, failures = watching._read, iter([True, True])

    def fails_twice(actor: Actor) -> str:
        if next(failures, False):
            raise OperationalError("the database starts again", None, Exception())
        return read(actor)

    monkeypatch.setattr(watching, "_read", fails_twice)
    with watch(served) as socket:
        assert first(socket) == {"type": "halts", "active": [], "ending": []}


def test_watcher_that_takes_nothing_is_dropped(served: Streams, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    held = asyncio.Event()

    async def is_full(_: WebSocket, __: str) -> None:
        await held.wait()

    monkeypatch.setattr(watching, "SEND_SECONDS", 0.1)
    monkeypatch.setattr(WebSocket, "send_text", is_full)
    with watch(served) as socket:
        assert code_of(socket) == (0, 0)
