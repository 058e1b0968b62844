"""What the benchmarks share: one Sluice of their own, the raw engine beside it, and figures that can be trusted.

Both sides run in turn within one call, so that a machine whose speed drifts slows both; medians are quoted.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from websockets.sync.client import connect  # noqa: E402 - after the path

from app.client import calls  # noqa: E402
from app.client.packing import pack  # noqa: E402
from app.client.sync import SluiceClient  # noqa: E402
from app.core.settings import Settings  # noqa: E402
from app.executor import discovery  # noqa: E402

SLUICE = ROOT / ".venv" / "bin" / "sluice"


@dataclass(frozen=True)
class Server:
    """A running `sluice up`."""

    url: str
    token: str
    pid: int
    home: Path
    started_seconds: float

    def client(self) -> SluiceClient:
        """Return a client of it, as its admin."""
        return SluiceClient(self.url, self.token)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would steer Sluice, an engine or its provider."""
    own = ("SLUICE_", "TF_", "AWS_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    if "SLUICE_TOOLS_DIR" in os.environ:
        kept["SLUICE_TOOLS_DIR"] = os.environ["SLUICE_TOOLS_DIR"]
    return kept


@contextmanager
def sluice(home: Path, **settings: str) -> Iterator[Server]:
    """Start `sluice up` on ``home``, with ``SLUICE_*`` settings by their lower-case names; stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = clean_environment() | {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    started = time.monotonic()
    process = subprocess.Popen(
        [SLUICE, "up", "--home", home, "--port", str(port), "--no-demo", "--json"],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"sluice up did not start (exit {process.wait()})\n{_logs(home)}")
    ready = json.loads(line)
    try:
        yield Server(ready["url"], ready["token"], process.pid, home, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _logs(home: Path) -> str:
    """Return the ends of all logs: the directory is gone when somebody reads the message."""
    return "\n".join(f"--- {file.name}\n{file.read_text()[-2000:]}" for file in sorted((home / "logs").glob("*.log")))


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a directory that is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def engine() -> discovery.Tool:
    """Return the engine that Sluice would use."""
    return discovery.find_engine(Settings())


RAW_STEPS = (
    ("init", ("init", "-input=false", "-no-color")),
    ("plan", ("plan", "-input=false", "-no-color", "-out=tfplan.binary")),
    ("show", ("show", "-json", "tfplan.binary")),
)


def raw_plan(tool: discovery.Tool, configuration: Path, variables: Mapping[str, str]) -> dict[str, float]:
    """Run init, plan and show by hand on a fresh copy; return the seconds that each took."""
    with scratch() as directory:
        copy = directory / "work"
        shutil.copytree(configuration, copy)
        environment = {**clean_environment(), **variables, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        taken: dict[str, float] = {}
        for name, arguments in RAW_STEPS:
            started = time.perf_counter()
            done = subprocess.run([tool.path, *arguments], cwd=copy, env=environment, capture_output=True, check=False)
            taken[name] = time.perf_counter() - started
            if done.returncode != 0:
                raise RuntimeError(f"{tool.path.name} {name} failed: {done.stderr.decode()[-2000:]}")
        return taken


def write_lock_file(tool: discovery.Tool, configuration: Path, variables: Mapping[str, str]) -> None:
    """Write the provider lock file into a configuration, as people commit it.

    With one, an engine hashes each provider twice in `init`. Sluice keeps a workspace's lock file from its first plan
    on, so that without this the engine by hand would have less to do.
    """
    with scratch() as directory:
        copy = directory / "work"
        shutil.copytree(configuration, copy)
        environment = {**clean_environment(), **variables, "CHECKPOINT_DISABLE": "1"}
        subprocess.run([tool.path, "init", "-input=false"], cwd=copy, env=environment, capture_output=True, check=True)
        shutil.copy(copy / ".terraform.lock.hcl", configuration)


def machine() -> dict[str, Any]:
    """Return what figures depend on: processors, and how many processes wanted them in the last minute."""
    return {"processors": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)}


def upload(client: SluiceClient, directory: Path) -> str:
    """Upload a directory; return the configuration's id."""
    return client.send(calls.upload_configuration(pack(directory).data)).id


def await_status(server: Server, run_id: str, *, after: int = 0) -> str:
    """Wait, as the web UI does over the WebSocket, until the run is neither queued nor running; return its status."""
    address = server.url.replace("http", "ws", 1) + f"/terraform/ws/runs/{run_id}?after={after}"
    with connect(address, additional_headers={"Authorization": f"Bearer {server.token}"}) as socket_:
        for frame in socket_:
            for record in json.loads(frame).get("records", ()):
                data = record["data"]
                if data.get("type") == "run.status" and data["status"] not in {"queued", "running"}:
                    return str(data["status"])
    raise RuntimeError(f"the stream of {run_id} ended before the run did")


def median(values: list[float]) -> float:
    """Return the median, to a tenth of a millisecond."""
    return round(statistics.median(values), 4)


def middle_half(values: list[float]) -> list[float]:
    """Return the lower and the upper quartile: how far a figure can be trusted."""
    if len(values) < 2:
        return [*values, *values][:2]
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    return [quarters[0], quarters[2]]


def say(line: str = "") -> None:
    """Write a line for people, on standard error; standard output is for the result alone."""
    print(line, file=sys.stderr, flush=True)


def report(result: dict[str, Any], misses: list[str]) -> int:
    """Print what was missed, then the result as one line of JSON; return the exit code."""
    for miss in misses:
        say(f"missed: {miss}")
    print(json.dumps({**result, "misses": misses}))
    return 1 if misses else 0
