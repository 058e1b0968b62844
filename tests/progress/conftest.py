"""A real API server in a thread, over a database with real commits, and streams to watch."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from websockets.sync.client import ClientConnection, connect

from app.core import clock
from app.core.db import unit_of_work
from app.core.ids import new_id
from app.core.websocket import DirectWebSocketProtocol
from app.identity.roles import Role
from app.progress import service
from app.progress.schemas import NewRecord
from tests.support import people
from tests.support.application import application
from tests.support.waiting import until


@dataclass
class Streams:
    """One tenant's streams, the address of the server, and a viewer's credential."""

    organization_id: str
    viewer: people.Member
    address: str = ""

    def new(self) -> str:
        """Open a stream and return its run's id."""
        run_id = new_id("run")
        with unit_of_work() as session:
            service.open_stream(session, run_id=run_id, organization_id=self.organization_id, workspace_id="ws-1")
        return run_id

    def append(self, run_id: str, *texts: str) -> int:
        with unit_of_work() as session:
            return service.append(
                session, run_id, [NewRecord(at=clock.now(), kind="line", text=text) for text in texts]
            )

    def close(self, run_id: str) -> None:
        with unit_of_work() as session:
            service.close_stream(session, run_id)

    def watch(
        self, run_id: str, *, after: int = 0, token: str | None = None, origin: str | None = None, queue: int = 16
    ) -> ClientConnection:
        """Open the WebSocket as the viewer, or with another token (the empty one is none)."""
        token = self.viewer.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return connect(
            f"ws://{self.address}/terraform/ws/runs/{run_id}?after={after}",
            additional_headers={**headers, **({"Origin": origin} if origin is not None else {})},
            max_queue=queue,
            proxy=None,
        )


@pytest.fixture
def streams(real_database: str) -> Streams:
    with unit_of_work() as session:
        organization_id = people.organization(session)
        viewer = people.person(session, organization_id, Role.VIEWER)
    return Streams(organization_id, viewer)


@pytest.fixture
def served(streams: Streams) -> Iterator[Streams]:
    """The same, with a server that answers."""
    server = uvicorn.Server(
        uvicorn.Config(
            application(), host="127.0.0.1", port=0, log_level="warning", ws=DirectWebSocketProtocol, lifespan="off"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    streams.address = f"{host}:{port}"
    try:
        yield streams
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
