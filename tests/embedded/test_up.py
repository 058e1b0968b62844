"""`sluice up` as a process, as a person or a script runs it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.database import TestDatabases
from tests.support.guards import GUARDED, spawning
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 90
STOP_SECONDS = 60
MAX_IDLE_PSS_BYTES = 450 * 1024 * 1024
PARTS = {"api", "worker", "beat"}

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("up")]


class Running:
    """One `sluice up`."""

    def __init__(self, home: Path, *options: str, **environment: str) -> None:
        self.home = home
        self._errors = home.with_name(f"{home.name}.err")
        own = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        if "SLUICE_TOOLS_DIR" in os.environ:
            own["SLUICE_TOOLS_DIR"] = os.environ["SLUICE_TOOLS_DIR"]
        with spawning("the command under test"), self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli.main", "up", "--home", str(home), "--no-demo", "--json", *options],
                cwd=ROOT,
                env={**own, **GUARDED, **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"`sluice up` ended before it was ready: {self.said()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def said(self) -> str:
        return self._errors.read_text()

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.said(), f"said: {words!r}", seconds=READY_SECONDS)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def part(self, name: str) -> psutil.Process:
        for process in psutil.Process(self.process.pid).children():
            line = process.cmdline()
            if line[-1:] == [name] or name in line[1:5] or line[0].endswith(f"/{name}"):
                return process
        raise AssertionError(f"{name} does not run")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


@pytest.fixture
def home() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="sluice-up-"))
    yield directory / "home"
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def started(home: Path, *options: str, **environment: str) -> Iterator[Running]:
    running = Running(home, *(options or ("--port", "0")), **environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        return error.code


def gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=60)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def pss_bytes(running: Running) -> int:
    total = 0
    for process in [psutil.Process(running.process.pid), *running.family()]:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def test_up_from_nothing_to_stopped_and_again(home: Path) -> None:
    # What the command line was told of another installation is not this one's address.
    with started(home, SLUICE_URL="http://127.0.0.1:1") as first:
        ready = first.ready()
        assert ready["url"] != "http://127.0.0.1:1"
        assert set(ready) == {"url", "login_url", "token", "engine", "policy_engine", "pid"}
        assert ready["pid"] == first.process.pid
        assert ready["login_url"].startswith(ready["url"])
        assert ready["engine"].split()[0] in {"tofu", "terraform"}
        assert status(f"{ready['url']}/readyz") == 200
        assert status(f"{ready['url']}/terraform/runs") == 401
        assert home.stat().st_mode & 0o077 == 0

        second = Running(home, "--port", "0")
        assert second.ended() == 1
        assert f"process {first.process.pid}" in second.said()
        assert "--home" in second.said()

        family = first.family()
        assert len(family) >= 5
        assert first.stop(signal.SIGINT) == 0
        assert gone(family) == []
        assert first.process.stdout is None or first.process.stdout.closed

    key = (home / "master.key").read_text()
    with started(home, SLUICE_URL="https://sluice.example") as again:
        assert again.ready()["url"] == "https://sluice.example"
        assert (home / "master.key").read_text() == key
        until(lambda: pss_bytes(again) < MAX_IDLE_PSS_BYTES, "at rest with so little memory")
        assert again.stop(signal.SIGTERM) == 0


def test_up_a_part_that_dies_is_started_again_and_a_killed_up_leaves_nothing(home: Path) -> None:
    with started(home) as running:
        ready = running.ready()
        for name in ("worker", "postgres"):
            running.part(name).send_signal(signal.SIGKILL)
            running.wait_for(f"{name} ended unexpectedly (SIGKILL)")
            running.wait_for(f"{name} runs again.")
        until(lambda: status(f"{ready['url']}/readyz") == 200, "ready again", seconds=READY_SECONDS)
        family = running.family()
        running.process.kill()
        assert gone(family) == []
        running.process.wait()
    with started(home) as again:
        assert status(f"{again.ready()['url']}/readyz") == 200
        assert again.stop() == 0


def test_up_port_in_use_says_so_and_starts_nothing(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = Running(home, "--port", str(port))
        assert refused.ended() == 1
    assert f"port {port}" in refused.said()
    assert "--port" in refused.said()
    assert not (home / "postgres").exists()


def test_up_without_an_engine_names_the_remedy(home: Path) -> None:
    tools, programs = home.with_name("tools"), home.with_name("bin")
    tools.mkdir()
    programs.mkdir()
    for name in ("unshare", "setpriv"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    refused = Running(home, "--port", "0", PATH=str(programs), SLUICE_TOOLS_DIR=str(tools))
    assert refused.ended() == 1
    assert "make tools" in refused.said()


def test_up_home_that_is_a_file_says_what_to_do(home: Path) -> None:
    home.write_text("")
    refused = Running(home, "--port", "0")
    assert refused.ended() == 1
    assert "--home" in refused.said()


def test_up_lost_key_and_newer_schema_are_refused(home: Path) -> None:
    with started(home) as first:
        first.ready()
        assert first.stop() == 0
    key = home / "master.key"
    kept = key.read_text()
    key.unlink()
    refused = Running(home, "--port", "0")
    assert refused.ended() == 1
    assert "Restore that file from your backup" in refused.said()
    key.write_text(kept)
    key.chmod(0o600)

    _set_revision(home, "ffffffffffff")
    refused = Running(home, "--port", "0")
    assert refused.ended() == 1
    assert "a newer one made it" in refused.said()


def _set_revision(home: Path, revision: str) -> None:
    import psycopg

    from app.embedded.home import open_home
    from app.embedded.postgres import Postgres

    postgres = Postgres(open_home(home))
    server = postgres.start()
    try:
        postgres.wait_ready(server)
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
    finally:
        postgres.stop(server)


def test_up_uses_servers_of_ones_own_where_they_are_named(home: Path, databases: TestDatabases, redis_url: str) -> None:
    url = databases.create_empty("up_elsewhere")
    with started(home, SLUICE_DATABASE_URL=url, SLUICE_REDIS_URL=redis_url) as running:
        assert status(f"{running.ready()['url']}/readyz") == 200
        assert not (home / "postgres").exists()
        assert {"postgres", "redis-server"}.isdisjoint(process.name() for process in running.family())
        assert running.stop() == 0
    databases.drop(url)


def test_up_signal_while_starting_ends_with_exit_0(home: Path) -> None:
    running = Running(home, "--port", "0")
    running.wait_for("Making a new data directory")
    assert running.stop() == 0
    assert "stopped while starting" in running.said()


def test_up_settings_that_are_not_valid_are_named(home: Path) -> None:
    for name, value in {
        "SLUICE_LEASE_SECONDS": "soon",
        "SLUICE_DATABASE_URL": "mysql-with-a-secret",
        "SLUICE_REDIS_URL": "http://a-secret",
        "SLUICE_TERRAFORM_CLI_CONFIG_FILE": str(home / "no-such.tfrc"),
    }.items():
        refused = Running(home, "--port", "0", **{name: value})
        assert refused.ended() == 1
        assert name in refused.said()
        assert "secret" not in refused.said()
