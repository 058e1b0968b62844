"""A running Sluice for tests: `sluice up`, as people and scripts start it, and the command line that talks to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.client import SluiceClient
from tests.support.database import note_server
from tests.support.guards import GUARDED, spawning

SLUICE = Path(sys.executable).with_name("sluice")
STOP_SECONDS = 60
COMMAND_SECONDS = 240
LOG_CHARACTERS = 6000
# What the machine's user has set up for themselves must not decide what a test sees.
_OWN = ("SLUICE_", "TF_", "AWS_")


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it printed, which must be exactly one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True)
class RunningSluice:
    """One `sluice up`; ``token`` is the seeded admin's."""

    url: str
    token: str
    login_url: str
    engine: str
    pid: int
    home: Path

    def run(
        self,
        *arguments: str | Path,
        token: str | None = None,
        stdin: str | None = None,
        variables: dict[str, str] | None = None,
    ) -> Finished:
        """Run `sluice` with these arguments and environment variables, as the admin or with the given token."""
        own = {"SLUICE_URL": self.url, "SLUICE_TOKEN": token or self.token}
        environment = clean_environment() | own | (variables or {})
        with spawning("the command line under test"):
            done = subprocess.run(
                [SLUICE, *map(str, arguments)],
                env=environment,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        return Finished(done.returncode, done.stdout, done.stderr)

    def ask(
        self,
        *arguments: str | Path,
        token: str | None = None,
        stdin: str | None = None,
        variables: dict[str, str] | None = None,
        code: int = 0,
    ) -> dict[str, Any]:
        """Run `sluice … --json`, demand the exit code, and return its document."""
        done = self.run(*arguments, "--json", token=token, stdin=stdin, variables=variables)
        said = " ".join(map(str, arguments))
        assert done.code == code, (
            f"sluice {said}: exit {done.code} instead of {code}\n{done.out}\n{done.err}\n{self.newest_log()}"
        )
        return done.document

    def newest_log(self) -> str:
        """Return the ends of what API and worker logged, for the message of a failure."""
        files = [self.home / "logs" / f"{part}.log" for part in ("api", "worker")]
        return "\n".join(f"--- {file.name}\n{file.read_text()[-LOG_CHARACTERS:]}" for file in files if file.is_file())

    def client(self, token: str | None = None) -> SluiceClient:
        """Return a client, as the admin or with the given token."""
        return SluiceClient(self.url, token or self.token)

    def service_account(self, name: str, *roles: str) -> str:
        """Make a service account with these roles; return a token of it."""
        self.ask("service-account", "create", name, *[part for role in roles for part in ("--role", role)])
        token: str = self.ask("token", "create", "test", "--service-account", name)["token"]
        return token


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would steer Sluice or an engine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    if "SLUICE_TOOLS_DIR" in os.environ:
        kept["SLUICE_TOOLS_DIR"] = os.environ["SLUICE_TOOLS_DIR"]
    return kept


@contextmanager
def running_sluice(*options: str, **settings: str) -> Iterator[RunningSluice]:
    """Run `sluice up --no-demo` on data of its own, with ``SLUICE_*`` settings by lower-case name; stop it at the end.

    It must stop with exit 0. The data directory is short, so that socket paths fit, and is gone afterwards.
    """
    directory = Path(tempfile.mkdtemp(prefix="sluice-e2e-"))
    directory.chmod(0o755)
    said = directory / "up.err"
    named = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    try:
        with spawning("the command under test"), said.open("wb") as errors:
            process = subprocess.Popen(
                [SLUICE, "up", "--home", directory / "home", "--port", "0", "--no-demo", "--json", *options],
                env={**clean_environment(), **GUARDED, **named},
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        note_server(process.pid, directory / "home")
        with process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                assert line, f"`sluice up` ended before it was ready: {said.read_text()}"
                ready = json.loads(line)
                yield RunningSluice(
                    url=ready["url"],
                    token=ready["token"],
                    login_url=ready["login_url"],
                    engine=ready["engine"],
                    pid=ready["pid"],
                    home=directory / "home",
                )
            finally:
                code = _stop(process)
        assert code == 0, f"`sluice up` stopped with {code}: {said.read_text()}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _stop(process: "subprocess.Popen[bytes]") -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
