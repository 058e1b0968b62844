"""The parts of Sluice singly, as a team runs them: an API and workers, on PostgreSQL and Redis of their own.

Each part has a disk of its own: its home, its runs' directories and its temporary directory lie below the same path
(`disk`) in all of them, which a mount namespace fills with another directory for each. Nobody sees another's.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.guards import GUARDED, spawning
from tests.support.server import LOG_CHARACTERS, SLUICE, clean_environment

START_SECONDS = 60
_MOUNT = 'mount --bind "$1" "$2" && mount -t tmpfs none "$3" && shift 3 && exec "$@"'


@dataclass
class Part:
    """One process, in a mount namespace where its own directory is the disk."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    disk: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def inside(self, path: Path) -> Path:
        """Return how this process sees a path, for whoever is outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def said(self, message: str) -> list[dict[str, Any]]:
        """Return the log's lines with this message."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == message]

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
        """Send the signal, wait, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)


@dataclass
class Parts:
    """One installation. ``settings`` are for all of its parts; it looks like a ``RunningSluice`` to a ``Site``."""

    root: Path
    database_url: str
    redis_url: str
    settings: dict[str, str]
    port: int = 0
    token: str = ""
    started: list[Part] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def disk(self) -> Path:
        """Where each part has its own disk."""
        return self.root / "disk"

    def directory(self, name: str) -> Path:
        """Return what lies behind the disk of a part; no part can see it there."""
        return self.root / "disks" / name

    def environment(self) -> dict[str, str]:
        return {
            **clean_environment(),
            **GUARDED,
            "SLUICE_DATABASE_URL": self.database_url,
            "SLUICE_REDIS_URL": self.redis_url,
            "SLUICE_URL": self.url,
            "SLUICE_HOME": str(self.disk / "home"),
            "SLUICE_WORK_DIR": str(self.disk / "runs"),
            "TMPDIR": str(self.disk / "tmp"),
            "HOME": str(self.disk / "tmp"),
            **self.settings,
        }

    def start(self, name: str, *command: str, **settings: str) -> Part:
        """Start a part on a new disk; ``settings`` are ``SLUICE_*`` by their lower-case names.

        A name that a part had before gets a number, so that tests which share an installation need not know each other.
        """
        if self.directory(name).exists():
            name = f"{name}-{len(self.started)}"
        own = self.directory(name)
        for below in ("home", "runs", "tmp"):
            (own / below).mkdir(parents=True, mode=0o700)
        (own / "whose").write_text(name)
        named = {f"SLUICE_{key.upper()}": value for key, value in settings.items()}
        log = self.root / f"{name}.log"
        with spawning("a part under test"), log.open("wb") as output:
            process = subprocess.Popen(
                [*self._namespace(own), *command],
                env={**self.environment(), **named},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        part = Part(name, process, log, own)
        self.started.append(part)
        return part

    def _namespace(self, own: Path) -> list[str]:
        """Return what gives a process its own disk, and hides those of the others, started already or later."""
        disks = str(self.root / "disks")
        if os.geteuid() == 0:
            shell = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _MOUNT, "sh"]
            return [*shell, str(own), str(self.disk), disks]
        return ["bwrap", "--dev-bind", "/", "/", "--bind", str(own), str(self.disk), "--tmpfs", disks, "--"]

    def worker(self, name: str, **settings: str) -> Part:
        """Start a worker and wait until it takes jobs."""
        [part] = self.workers(name, **settings)
        return part

    def workers(self, *names: str, **settings: str) -> list[Part]:
        """Start workers at once and wait until each takes jobs."""
        ready = str(self.disk / "home" / "ready")
        parts = [self.start(name, str(SLUICE), "worker", ready_file=ready, **settings) for name in names]
        for part in parts:
            self._wait(part, (part.disk / "home" / "ready").exists)
        return parts

    def api(self) -> Part:
        """Start the API, and make the first organization; the admin's token is kept."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        part = self.start("api", str(SLUICE), "api", "--port", str(self.port))
        self._wait(part, self._is_healthy)
        seeding = self.start("bootstrap", sys.executable, "-m", "app.bootstrap", "--no-demo")
        assert seeding.process.wait(START_SECONDS) == 0, seeding.log.read_text()
        self.token = json.loads(seeding.log.read_text().splitlines()[-1])["token"]
        return part

    def beat(self) -> Part:
        """Start what sends the periodic jobs."""
        return self.start("beat", str(SLUICE), "beat")

    def _is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    @staticmethod
    def _wait(part: Part, is_ready: Any) -> None:
        until = time.monotonic() + START_SECONDS
        while not is_ready():
            assert part.process.poll() is None, f"{part.name} ended: {part.log.read_text()[-LOG_CHARACTERS:]}"
            assert time.monotonic() < until, f"{part.name} is not ready: {part.log.read_text()[-LOG_CHARACTERS:]}"
            time.sleep(0.05)

    def newest_log(self) -> str:
        """Return the ends of what the parts logged, for the message of a failure."""
        return "\n".join(f"--- {part.name}\n{part.log.read_text()[-LOG_CHARACTERS:]}" for part in self.started)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what runs now; end what is started in the block."""
        before = len(self.started)
        try:
            yield
        finally:
            self.end(before)

    def end(self, first: int = 0) -> None:
        """End whatever still runs, from the ``first`` that was started on; a second signal hurries supervisors."""
        running = [part.process for part in self.started[first:] if part.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


@contextmanager
def running_parts(database_url: str, redis_url: str, **settings: str) -> Iterator[Parts]:
    """Give an installation without parts; ``settings`` are environment variables of all of them."""
    root = Path(tempfile.mkdtemp(prefix="sluice-parts-"))
    root.chmod(0o755)
    key = f"test:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    parts = Parts(root, database_url, redis_url, {"SLUICE_MASTER_KEY": key, **settings})
    try:
        parts.disk.mkdir()
        (root / "disks").mkdir()
        yield parts
    finally:
        parts.end()
        shutil.rmtree(root, ignore_errors=True)
