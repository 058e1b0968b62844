"""Parts are killed while a halt is under way: it stands, everything dies and proves it once, and a resume works.

``SLUICE_TEST_KILL_ROUNDS`` is how many times (a long run: a hundred), ``SLUICE_TEST_SEED`` draws others.
"""

import json
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.chaos.storm.desk import ANSWER_SECONDS, PATIENCE_SECONDS, Answers, Desk
from tests.chaos.storm.parts import GRACE_SECONDS, LEASE_SECONDS, NURSERY, Installation, installed
from tests.runner.conftest import FAKE
from tests.support.archives import archive
from tests.support.guards import GUARDED

ROUNDS = int(os.environ.get("SLUICE_TEST_KILL_ROUNDS", "3"))
SEED = int(os.environ.get("SLUICE_TEST_SEED", "20261121"))
VICTIMS = ("api", "worker", "supervisor", "nursery", "redis", "engine", "api and worker", "supervisor and worker")
WORKSPACES = 6
BOUND_SECONDS = 3 * LEASE_SECONDS + GRACE_SECONDS + 10
START_SECONDS = 60
_LIVE = """
select count(*) from terraform_runs where status in
('queued', 'running', 'awaiting_approval', 'policy_blocked', 'approved')
"""
_DYING = "select count(*) from terraform_runs where claimed_at is not null and quiesced_at is null"
_PROOFS = """
select id, status, halted, claimed_at is not null, proof_of_death ->> 'kind' from terraform_runs where created_at > %s
"""
_LOCKS = "select count(*) from terraform_state_locks"
_OPEN = """
select count(*) from pg_stat_activity
where starts_with(state, 'idle in transaction') and state_change < clock_timestamp() - interval '5 s'
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("chaos"),
    pytest.mark.timeout(300 + 60 * ROUNDS),
]


@pytest.fixture
def site() -> Iterator["Site"]:
    with tempfile.TemporaryDirectory(prefix="sluice-killed-") as directory:
        Path(directory).chmod(0o755)
        settings = {"SLUICE_ENGINE": str(FAKE)}
        with installed(Path(directory), GUARDED, workers=2, settings=settings) as (parts, token):
            yield Site(parts, token, random.Random(SEED))


class Site:
    """An installation whose engine follows a script, and who works with it."""

    def __init__(self, parts: Installation, token: str, rng: random.Random) -> None:
        self.parts, self.rng = parts, rng
        self.desk = Desk(parts.urls, token, Answers())
        self.desk.post("/terraform/stacks", {"name": "killed"})
        self.names = [f"w{number}" for number in range(WORKSPACES)]
        for number, name in enumerate(self.names):
            rules = {"auto_apply": number % 2 == 0, "state_backend": "local"}
            self.desk.post("/terraform/workspaces", {"name": name, "stack": "killed", **rules})

    def request(self, name: str, seconds: float = 0.4) -> str:
        resources = [{"name": f"r{number}", "seconds": self.rng.uniform(0, seconds)} for number in range(3)]
        script = {"plan": [{"sleep": self.rng.uniform(0, 0.3)}]}
        files = {
            "main.tf": f"# {time.monotonic()}\n",
            "fake-engine.json": json.dumps({"resources": resources, "script": script}),
        }
        kept = self.desk.send(
            "POST", "/terraform/configurations", content=archive(files), headers={"Content-Type": "application/gzip"}
        )
        assert kept.is_success, kept.text
        body = {"workspace": name, "kind": "plan", "configuration_id": kept.json()["id"]}
        return str(self.desk.post("/terraform/runs", body)["id"])

    def kill(self, victim: str) -> str:
        """Kill; say what was there to be killed."""
        hit = []
        for name in victim.split(" and "):
            if name in {"api", "worker"}:
                part = self.parts.parts[f"{name}-{self.rng.randint(1, 2)}"]
                part.kill(signal.SIGKILL)
            elif name == "redis":
                self.parts.parts["redis"].kill(signal.SIGKILL)
            else:
                found = {
                    "supervisor": self.parts.supervisors,
                    "nursery": lambda: self.parts.named(NURSERY),
                    "engine": self.engines,
                }[name]()
                if not found:
                    continue
                with suppress(psutil.NoSuchProcess):
                    self.rng.choice(found).kill()
            hit.append(name)
        return " and ".join(hit) or "nothing"

    def start_again(self) -> None:
        for part in self.parts.parts.values():
            assert part.server is not None
            if part.server.poll() is not None:
                part.run()

    def engines(self) -> list[psutil.Process]:
        """Return what runs the script for this installation, in its sandbox and without one."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter(["cmdline"]):
            with suppress(psutil.Error, OSError):
                line = " ".join(process.info["cmdline"] or [])
                if "bwrap" in line and str(self.parts.home.root) in line:
                    found |= {child.pid: child for child in process.children(recursive=True)}
                elif str(FAKE) in line and str(self.parts.home.root) in process.cwd():
                    found[process.pid] = process
        return [process for process in found.values() if _runs_the_script(process)]

    def one(self, query: str, *values: Any) -> Any:
        [row] = self.rows(query, *values)
        return row[0]

    def rows(self, query: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.parts.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def await_none(self, what: str, query: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.one(query):
            assert time.monotonic() < until, f"{what} after {seconds:g} s"
            time.sleep(0.1)

    def records(self, run_id: str) -> list[Any]:
        page = self.desk.get(f"/terraform/runs/{run_id}/progress?after=0&limit=5000")
        return list(page["records"])

    def free_orphaned(self) -> None:
        """Do what the runbook says about an orphaned lock."""
        for name in self.names:
            lock = self.desk.get(f"/terraform/workspaces/{name}/state-lock")
            if lock is not None and lock["is_orphaned"]:
                self.desk.post(f"/terraform/workspaces/{name}/state-lock/release", {}, codes=(204, 409))


def _runs_the_script(process: psutil.Process) -> bool:
    try:
        return FAKE.name in " ".join(process.cmdline()) and "bwrap" not in process.cmdline()[0]
    except (psutil.Error, IndexError):
        return False


def test_halt_in_which_parts_are_killed_stands_and_everything_dies_and_proves_it_once(site: Site) -> None:
    seen: dict[str, int] = {}
    for number in range(ROUNDS):
        victim = VICTIMS[number % len(VICTIMS)] if len(VICTIMS) <= ROUNDS else site.rng.choice(VICTIMS)
        hit = _round(site, victim, number)
        seen[hit] = seen.get(hit, 0) + 1
    print(f"rounds by what was killed: {seen}")


def _round(site: Site, victim: str, number: int) -> str:
    began = site.one("select clock_timestamp()")
    for name in site.names:
        site.request(name)
    time.sleep(site.rng.uniform(0, 1.2))
    answers: list[Any] = []
    halting = threading.Thread(
        target=lambda: answers.append(site.desk.post("/terraform/halt", {"reason": f"round {number}"}))
    )
    halting.start()
    time.sleep(site.rng.choice([0.0, 0.005, 0.02, 0.05, 0.2]))
    hit = site.kill(victim)
    story = f"round {number}: {victim}, of which {hit} was there"
    time.sleep(site.rng.uniform(0, 0.5))
    site.start_again()
    halting.join(PATIENCE_SECONDS + ANSWER_SECONDS)
    assert answers, story
    halt = answers[0]
    assert site.one(_LIVE) == 0, story
    refused = site.desk.send("POST", "/terraform/runs", json={"workspace": site.names[0], "kind": "refresh"})
    assert (refused.status_code, refused.json()["code"]) == (409, "halted"), story
    [standing] = site.desk.get("/terraform/halt")["active"]
    assert standing["id"] == halt["id"], story
    site.await_none(f"{story}: runs still die", _DYING, BOUND_SECONDS)
    assert site.engines() == [], story
    for run_id, status, is_halted, was_claimed, proof in site.rows(_PROOFS, began):
        told = [
            record["data"]["proof"] for record in site.records(run_id) if record["data"].get("type") == "run.quiesced"
        ]
        about = f"{story}: {run_id} is {status} ({proof}, told {told})"
        assert told == ([proof] if was_claimed else []), about
        assert not is_halted or status == "cancelled", about
    assert site.one("select count(*) from terraform_runs where claimed_at > %s", halt["created_at"]) == 0, story
    site.free_orphaned()
    assert site.one(_LOCKS) == 0, story
    site.await_none(f"{story}: a transaction is left open", _OPEN, BOUND_SECONDS)
    site.desk.post("/terraform/resume", {"reason": "next round"})
    again = site.request(site.names[number % WORKSPACES])
    until = time.monotonic() + START_SECONDS
    while site.desk.get(f"/terraform/runs/{again}")["status"] == "queued":
        assert time.monotonic() < until, f"{story}: nothing is claimed after the resume"
        time.sleep(0.1)
    return hit
