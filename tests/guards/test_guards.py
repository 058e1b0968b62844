"""The guards of the test suite guard."""

import os
import socket
import subprocess
import sys

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core import db
from app.core.permissions import Actor
from tests.support.client import ActingClient
from tests.support.guards import GUARDED, UnexpectedConnection, UnexpectedProcess, spawning


def test_subprocess_outside_the_gateway_is_refused() -> None:
    with pytest.raises(UnexpectedProcess, match="only the gateway"):
        subprocess.run(["true"], check=False)


def test_fork_outside_the_gateway_is_refused() -> None:
    with pytest.raises(UnexpectedProcess):
        # A child that came to be after all must not go on as a second test run.
        if os.fork() == 0:
            os._exit(0)


def test_posix_spawn_outside_the_gateway_is_refused() -> None:
    with pytest.raises(UnexpectedProcess):
        os.posix_spawn("/bin/true", ["true"], {})


def test_spawning_inside_a_named_fixture_is_allowed() -> None:
    with spawning("this test"):
        assert subprocess.run(["true"], check=False).returncode == 0
    with pytest.raises(UnexpectedProcess):
        subprocess.run(["true"], check=False)


def test_guarded_environment_guards_other_interpreters() -> None:
    script = "import subprocess; subprocess.run(['true'])"
    with spawning("an interpreter that must not spawn"):
        done = subprocess.run([sys.executable, "-c", script], env=GUARDED, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "UnexpectedProcess" in done.stderr


def test_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as connection, pytest.raises(UnexpectedConnection):
        connection.connect(("192.0.2.1", 80))
    with pytest.raises(UnexpectedConnection):
        socket.getaddrinfo("example.com", 443)


def test_connection_to_loopback_is_allowed() -> None:
    with socket.socket() as server, socket.socket() as connection:
        server.bind(("127.0.0.1", 0))
        server.listen()
        connection.connect(server.getsockname())


def test_session_and_units_of_work_share_what_is_rolled_back(session: Session) -> None:
    session.execute(text("CREATE TABLE scratch (answer int)"))
    with db.unit_of_work() as inner:
        inner.execute(text("INSERT INTO scratch VALUES (42)"))
    assert session.execute(text("SELECT answer FROM scratch")).scalar() == 42
    with pytest.raises(ZeroDivisionError), db.unit_of_work() as inner:
        inner.execute(text("DELETE FROM scratch"))
        raise ZeroDivisionError
    assert session.execute(text("SELECT answer FROM scratch")).scalar() == 42


def test_session_of_the_next_test_sees_nothing_of_the_last(session: Session) -> None:
    assert session.execute(text("SELECT to_regclass('scratch')")).scalar() is None


def test_real_database_commits(real_database: str) -> None:
    with db.unit_of_work() as first:
        first.execute(text("CREATE TABLE scratch AS SELECT 42 AS answer"))
    with db.unit_of_work("halt") as second:
        assert second.execute(text("SELECT answer FROM scratch")).scalar() == 42


def test_client_without_an_actor_needs_credentials_and_with_one_does_not(client: ActingClient) -> None:
    assert client.get("/terraform/version").status_code == 401
    actor = Actor(id="user-1", kind="person", name="Olga", organization_id="org-1")
    assert client.acting(actor).get("/terraform/version").status_code == 200
