"""A running Sluice as its API sees it, and the processes behind it."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from app.core.ids import new_id
from app.embedded.drain import supervisors
from app.embedded.home import open_home
from app.embedded.redis import Redis
from tests.support.archives import archive
from tests.support.server import RunningSluice
from tests.support.waiting import until

MARKS = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.timeout(240),
]
"""Of tests that break something of a running Sluice: one after the other, on the one that they share."""
PATIENCE_SECONDS = 60
LIVE = {"queued", "running"}

CHAIN = """
resource "terraform_data" "first" {
  input = "made"
}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "sleep %s"
  }
}
output "first" {
  value = terraform_data.first.output
}
"""
"""A configuration whose apply makes one resource at once and then takes its time."""


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """Freeze a process for the length of the block: it holds its connections and answers nothing."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def wait_until(what: str, done: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask until the answer is true, and return it."""
    return until(done, f"within {seconds} s: {what}", seconds=seconds)


@dataclass
class Site:
    """One running Sluice. ``admin`` decides, ``planner`` (a service account) asks."""

    sluice: RunningSluice
    admin: httpx.Client = field(init=False)
    planner: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.admin = self.client(self.sluice.token)
        self.admin.post("/service-accounts", json={"name": "ci", "roles": ["planner"]}).raise_for_status()
        token = self.admin.post("/tokens", json={"name": "ci", "service_account": "ci"}).json()["token"]
        self.planner = self.client(token)

    def close(self) -> None:
        self.admin.close()
        self.planner.close()

    def client(self, token: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.sluice.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )

    # What people do.

    def get(self, path: str) -> Any:
        answer = self.admin.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def post(self, path: str, body: Any = None, *, code: int | None = None) -> Any:
        answer = self.admin.post(path, json=body if body is not None else {})
        expected = {code} if code is not None else {200, 201, 204}
        assert answer.status_code in expected, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def workspace(self, engine: str | None = None, **rules: Any) -> str:
        """Make a workspace on a stack of its own; return its name."""
        name = new_id("ws").lower()
        self.post("/terraform/stacks", {"name": name})
        self.post("/terraform/workspaces", {"name": name, "stack": name, "engine_kind": engine, **rules})
        return name

    def upload(self, files: dict[str, str]) -> str:
        answer = self.planner.post(
            "/terraform/configurations", content=archive(files), headers={"Content-Type": "application/gzip"}
        )
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["id"])

    def request(self, workspace: str, files: dict[str, str] | None = None, kind: str = "plan", **more: Any) -> str:
        """Request a run and return its id."""
        body = {"workspace": workspace, "kind": kind, **more}
        if files is not None:
            body["configuration_id"] = self.upload(files)
        answer = self.planner.post("/terraform/runs", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/terraform/runs/{run_id}")
        return found

    def until(self, run_id: str, *statuses: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Wait until the run is in one of the statuses; a run that ends otherwise fails the test at once."""

        def look() -> dict[str, Any] | None:
            run = self.run(run_id)
            if run["status"] in statuses:
                return run
            assert run["finished_at"] is None, self.story(run)
            return None

        try:
            found: dict[str, Any] = wait_until(f"{run_id} is {statuses}", look, seconds)
        except AssertionError as error:
            error.add_note(self.story(self.run(run_id)))
            raise
        return found

    def quiet(self, run_id: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Wait until the run has quiesced and return it."""
        wait_until(f"{run_id} has quiesced", lambda: self.run(run_id)["quiesced_at"], seconds)
        return self.run(run_id)

    def story(self, run: dict[str, Any]) -> str:
        """Say for a failure's message what became of a run."""
        said = {name: run[name] for name in ("id", "kind", "status", "status_reason", "failure", "evidence")}
        return f"{json.dumps(said, indent=1)}\n{self.log(run['id'])[-3000:]}\n{self.sluice.newest_log()}"

    def planned(self, workspace: str, files: dict[str, str] | None = None, kind: str = "plan", **more: Any) -> str:
        """Bring a run to the gate, at rest, and return its id."""
        run_id = self.request(workspace, files, kind, **more)
        self.until(run_id, "awaiting_approval")
        self.quiet(run_id)
        return run_id

    def approve(self, run_id: str) -> str:
        """Approve as the admin; return the apply's id."""
        return str(self.post(f"/terraform/runs/{run_id}/approve")["child_run_id"])

    def applied(self, workspace: str, files: dict[str, str] | None = None, kind: str = "plan", **more: Any) -> str:
        """Plan, approve, apply; return the plan's id."""
        run_id = self.planned(workspace, files, kind, **more)
        apply = self.approve(run_id)
        self.until(run_id, "applied")
        self.quiet(apply)
        return run_id

    def applying(self, workspace: str, seconds: float) -> tuple[str, str]:
        """Start an apply that has made its first resource and takes ``seconds`` for the next; return (plan, apply)."""
        plan = self.planned(workspace, {"main.tf": CHAIN % seconds})
        apply = self.approve(plan)
        wait_until(f"{apply} is in the middle", lambda: "terraform_data.slow: Provisioning" in self.log(apply))
        return plan, apply

    def log(self, run_id: str) -> str:
        """Return the run's lines."""
        return "\n".join(record["text"] for record in self.records(run_id) if record["text"])

    def records(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            page = self.get(f"/terraform/runs/{run_id}/progress?after={after}&limit=5000")
            found += page["records"]
            if not page["records"]:
                return found
            after = page["next"]

    def outputs(self, workspace: str) -> dict[str, Any]:
        return {item["name"]: item["value"] for item in self.get(f"/terraform/workspaces/{workspace}/outputs")}

    def versions(self, workspace: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/terraform/workspaces/{workspace}/state-versions")["items"]
        return found

    # The processes.

    def worker(self) -> psutil.Process:
        """Return the Celery worker that takes jobs."""
        for process in psutil.Process(self.sluice.pid).children():
            if "worker" in process.cmdline()[1:6]:
                return process
        raise AssertionError("the worker does not run")

    def redis(self) -> psutil.Process:
        for process in psutil.Process(self.sluice.pid).children(recursive=True):
            if "redis-server" in process.name():
                return process
        raise AssertionError("redis does not run")

    def supervisors(self) -> list[psutil.Process]:
        """Return the supervisors of this installation."""
        return [psutil.Process(pid) for pid in supervisors(f"SLUICE_HOME={self.sluice.home}")]

    def supervisor(self) -> tuple[psutil.Process, list[psutil.Process]]:
        """Return the one supervisor that runs, and every process of its engine."""
        [found] = wait_until("a supervisor runs", self.supervisors)
        return found, found.children(recursive=True)

    def kill_worker(self) -> int:
        """Kill the worker and wait until there is another; return the killed one's pid."""
        worker = self.worker()
        worker.send_signal(signal.SIGKILL)
        psutil.wait_procs([worker], timeout=10)
        self.another_worker(than=worker.pid)
        return worker.pid

    def another_worker(self, *, than: int) -> None:
        """Wait until `up` has started another worker; it takes jobs once it has loaded its code."""

        def found() -> bool:
            try:
                return self.worker().pid != than
            except (AssertionError, psutil.NoSuchProcess):
                return False

        wait_until("the worker is started again", found)

    def redis_url(self) -> str:
        return Redis(open_home(self.sluice.home)).url()


def gone(processes: list[psutil.Process], seconds: float = 15) -> bool:
    """Whether all of the processes end within the time (a zombie has ended)."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [process for process in alive if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
