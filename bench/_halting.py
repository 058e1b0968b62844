"""Rounds of the halt benchmark: fill an installation with runs in every phase, halt it at a random moment, judge.

Times are the caller's: from the POST until another connection sees every run marked, and until the answer.
"""

import json
import math
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import psutil
import psycopg

from app.embedded.commands import READY_FILE
from tests.chaos.storm import configuration, judging
from tests.chaos.storm.desk import Answers, Desk
from tests.chaos.storm.journal import Journal
from tests.chaos.storm.load import Ledger
from tests.chaos.storm.parts import GRACE_SECONDS, LEASE_SECONDS, NURSERY, SUPERVISOR, Installation
from tests.support.archives import archive

Disturbance = Literal["none", "redis stopped", "redis frozen", "worker frozen"]
SLACK_SECONDS = 4.0
"""Beyond heartbeat and grace period: for a supervisor to store its state and write its proof, on a busy machine."""
BOUND_SECONDS = LEASE_SECONDS + GRACE_SECONDS + SLACK_SECONDS
PRESUMED_SECONDS = 3 * LEASE_SECONDS + GRACE_SECONDS + SLACK_SECONDS
LOOK_SECONDS = 0.01
_ASKERS = 8
_LIVE = """
select count(*) from terraform_runs where status in
('queued', 'running', 'awaiting_approval', 'policy_blocked', 'approved')
"""
_PHASES = (
    "select status || coalesce(' ' || phase, ''), count(*) from terraform_runs where finished_at is null group by 1"
)
_STARTED = "select count(*) from terraform_runs where claimed_at > %s or (created_at > %s)"
_DYING = "select count(*) from terraform_runs where claimed_at is not null and quiesced_at is null"
_LOCKS = "select count(*) from terraform_state_locks"
_WRITTEN = """
select concat_ws(' ', r.id, r.status, r.phase, r.finished_at, r.state_version_id) from terraform_runs r where r.halted
union all select concat_ws(' ', v.id, v.run_id) from terraform_state_versions v
"""
_AWAKE_SECONDS = GRACE_SECONDS + SLACK_SECONDS
"""Within which what was frozen has seen that it lost its runs, and has ended its engines."""


@dataclass
class Round:
    """What one halt came to."""

    marked_ms: float
    answered_ms: float
    marked: int
    phases: dict[str, int]
    all_dead_seconds: float
    processes_left: int
    locks_left: int
    started: int
    live: int
    written_by_frozen: int = 0


@dataclass
class Rounds:
    """What a number of halts came to."""

    title: str
    rounds: list[Round] = field(default_factory=list)
    lost_states: int = 0
    journal: int = 0
    broken: list[str] = field(default_factory=list)

    def at(self, share: float, *, of_answers: bool = False) -> float:
        """Return a percentile, by nearest rank, of the milliseconds from the call to the marks, or to its answer."""
        found = sorted(one.answered_ms if of_answers else one.marked_ms for one in self.rounds)
        return round(found[math.ceil(share * len(found)) - 1], 1) if found else 0.0


class Field:
    """An installation with workspaces to halt. ``is_scripted``: its engine follows a script."""

    def __init__(
        self,
        installation: Installation,
        token: str,
        journal: Journal,
        rng: random.Random,
        *,
        is_scripted: bool,
        workspaces: int,
    ) -> None:
        self._installation = installation
        self._journal = journal
        self._rng = rng
        self._is_scripted = is_scripted
        self._longest_seconds = 1.6 if is_scripted else 5.0
        self._answers = Answers()
        self._admin = Desk(installation.urls, token, self._answers)
        self._ledger = Ledger()
        self._count = 0
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=installation.urls[0], headers=headers, timeout=60, trust_env=False)
        self._planner = httpx.Client(base_url=installation.urls[1], timeout=60, trust_env=False)
        self._pool = ThreadPoolExecutor(1)
        self._looking = psycopg.connect(installation.database_url, autocommit=True)
        self._names = [f"w{number}" for number in range(workspaces)]

    def furnish(self) -> None:
        """Make who asks and where: half of the workspaces apply by their rule, a few are blocked by a policy."""
        for url in self._installation.urls:
            _await(url)
        self._admin.post("/service-accounts", {"name": "ci", "roles": ["planner"]})
        token = self._admin.post("/tokens", {"name": "ci", "service_account": "ci"})["token"]
        self._planner.headers["Authorization"] = f"Bearer {token}"
        self._admin.post("/terraform/stacks", {"name": "halted"})
        for number, name in enumerate(self._names):
            rules = {"auto_apply": number % 2 == 0, "auto_apply_allows_destroy": number % 2 == 0}
            backend = "local" if self._is_scripted else "managed"
            self._admin.post(
                "/terraform/workspaces", {"name": name, "stack": "halted", "state_backend": backend, **rules}
            )
            if number % 8 == 1 and not self._is_scripted:
                attachment = {"policy_set_uri": "policies/no_local_exec", "enforcement_level": "hard-mandatory"}
                self._admin.post("/terraform/policy-attachments", {**attachment, "workspace": name})

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        for client in (self._http, self._planner, self._admin, self._looking):
            client.close()

    # One round.

    def round(self, runs: int, disturbance: Disturbance = "none") -> Round:
        """Fill, halt at a random moment, await the deaths, judge, resume."""
        self._fill(runs)
        time.sleep(self._rng.uniform(0.0, self._longest_seconds / 2))
        with self._disturbed(disturbance) as frozen:
            phases = self._counts(_PHASES)
            begun = time.perf_counter()
            marked_at = self._pool.submit(self._await_marked)
            answer = self._http.post("/terraform/halt", json={"reason": f"round of {runs}"})
            answered = time.perf_counter() - begun
            assert answer.status_code == 200, answer.text
            halt = answer.json()
            live = self._one(_LIVE)
            refused = self._planner.post("/terraform/runs", json={"workspace": self._names[0], "kind": "refresh"})
            if refused.status_code != 409 or refused.json()["code"] != "halted":
                self.broken(f"while halted, a request was answered by {refused.status_code} {refused.text}")
            bound = PRESUMED_SECONDS if frozen else BOUND_SECONDS
            dead = self._await_death(begun, bound)
            left = [process for process in self._installation.engines() if process.pid not in frozen]
            written = self._lines(_WRITTEN)
        if frozen:
            # Awake again: what had engines ends them, and what any of it does now must change nothing.
            left = self._await_no_engine(_AWAKE_SECONDS)
        since = halt["created_at"]
        started = self._one(_STARTED, since, since)
        after = self._one(_LIVE)
        found = Round(
            marked_ms=(marked_at.result() - begun) * 1000,
            answered_ms=answered * 1000,
            marked=halt["runs"]["marked"],
            phases=phases,
            all_dead_seconds=dead,
            processes_left=len(left) + self._one(_DYING),
            locks_left=self._one(_LOCKS),
            started=started,
            live=max(live, after),
            written_by_frozen=len(self._lines(_WRITTEN) ^ written) if frozen else 0,
        )
        self._free_orphaned()
        resumed = self._http.post("/terraform/resume", json={"reason": "next round"})
        assert resumed.status_code == 200, resumed.text
        return found

    def lost(self) -> tuple[int, int]:
        """Return how many resources that the journal saw made no state and no list knows, and how many there were."""
        entries = self._journal.entries()
        return len(judging.judge_resources(self._admin, self._names, entries, self._ledger).missing), len(entries)

    def broken(self, text: str) -> None:
        """Note what must not be."""
        self._ledger.violate(text)

    @property
    def violations(self) -> list[str]:
        """What must not be, and was."""
        return [*self._ledger.violations, *self._answers.faults]

    # Steps.

    def _fill(self, runs: int) -> None:
        """Request runs all over the workspaces, and approve some of what waits from the round's beginning on."""
        wanted = [self._names[number % len(self._names)] for number in range(runs)]
        with ThreadPoolExecutor(_ASKERS) as pool:
            list(pool.map(self._request, wanted))
        until = time.monotonic() + self._rng.uniform(0.0, self._longest_seconds / 2)
        while time.monotonic() < until:
            page = self._http.get("/terraform/runs", params={"status": "awaiting_approval", "limit": 50}).json()
            for run in page["items"]:
                if self._rng.random() < 0.5:
                    self._http.post(f"/terraform/runs/{run['id']}/approve", json={})
            time.sleep(0.3)

    def _request(self, workspace: str) -> None:
        with self._ledger.lock:
            self._count += 1
            nonce = f"{workspace}-{self._count}"
        packed = _scripted(nonce, self._journal.port, self._rng) if self._is_scripted else self._packed(nonce)
        kept = self._planner.post(
            "/terraform/configurations", content=packed, headers={"Content-Type": "application/gzip"}
        )
        assert kept.status_code in {200, 201}, kept.text
        body = {"workspace": workspace, "kind": "plan", "configuration_id": kept.json()["id"], "message": nonce}
        made = self._planner.post("/terraform/runs", json=body)
        assert made.status_code == 201, made.text
        with self._ledger.lock:
            self._ledger.plans[nonce] = made.json()["id"]

    def _packed(self, nonce: str) -> bytes:
        return configuration.packed(nonce, self._journal.port, self._rng)

    def _await_marked(self) -> float:
        """Return when no run is live any more, as another connection sees it."""
        until = time.perf_counter() + BOUND_SECONDS
        while time.perf_counter() < until:
            row = self._looking.execute(_LIVE).fetchone()
            if row is not None and row[0] == 0:
                return time.perf_counter()
            time.sleep(LOOK_SECONDS)
        self.broken(f"{BOUND_SECONDS:g} s after the call, runs were still live")
        return until

    def _await_death(self, begun: float, bound: float) -> float:
        """Wait until every run has quiesced, at most ``bound`` seconds; return after how many seconds that was."""
        while self._one(_DYING) and time.perf_counter() - begun < bound:
            time.sleep(0.05)
        return time.perf_counter() - begun

    @contextmanager
    def _disturbed(self, disturbance: Disturbance) -> Iterator[frozenset[int]]:
        """Stop Redis, or freeze a worker with all that it has started, for the length of the block."""
        if disturbance == "none":
            yield frozenset()
            return
        redis = self._installation.parts["redis"]
        if disturbance == "redis stopped":
            redis.kill(signal.SIGTERM)
            try:
                yield frozenset()
            finally:
                redis.run()
            return
        is_worker = disturbance == "worker frozen"
        part = self._installation.parts[self._rng.choice(self._installation.workers)] if is_worker else redis
        assert part.server is not None
        held = self._whole(part.server.pid) if is_worker else [psutil.Process(part.server.pid)]
        _send(held, signal.SIGSTOP)
        try:
            yield frozenset(process.pid for process in held) if is_worker else frozenset()
        finally:
            _send(held, signal.SIGCONT)

    def _whole(self, worker: int) -> list[psutil.Process]:
        """Return a worker, its nursery, its supervisors and all that they have started: what its machine would hold."""
        name = next(
            name for name, part in self._installation.parts.items() if part.server and part.server.pid == worker
        )
        ready = str(self._installation.home.root / f"{name}.ready")
        roots = [psutil.Process(worker)]
        for process in self._installation.named(NURSERY, SUPERVISOR, "sluice-spare"):
            with suppress(psutil.Error):
                if process.environ().get(READY_FILE) == ready:
                    roots.append(process)
        found = {process.pid: process for process in roots}
        for process in roots:
            with suppress(psutil.Error):
                found |= {child.pid: child for child in process.children(recursive=True)}
        return list(found.values())

    def _await_no_engine(self, seconds: float) -> list[psutil.Process]:
        """Return the engines that still live after at most ``seconds``."""
        until = time.monotonic() + seconds
        time.sleep(1.0)
        while (left := self._installation.engines()) and time.monotonic() < until:
            time.sleep(0.1)
        return left

    def _free_orphaned(self) -> None:
        """Do what the runbook says about an orphaned lock."""
        for name in self._names:
            lock = self._admin.get(f"/terraform/workspaces/{name}/state-lock")
            if lock is not None and lock["is_orphaned"]:
                self._admin.post(f"/terraform/workspaces/{name}/state-lock/release", {}, codes=(204, 409))

    def _one(self, query: str, *values: Any) -> int:
        with psycopg.connect(self._installation.database_url, autocommit=True) as connection:
            row = connection.execute(query, values).fetchone()
        return int(row[0]) if row is not None else 0

    def _lines(self, query: str) -> set[str]:
        with psycopg.connect(self._installation.database_url, autocommit=True) as connection:
            return {row[0] for row in connection.execute(query)}

    def _counts(self, query: str) -> dict[str, int]:
        with psycopg.connect(self._installation.database_url, autocommit=True) as connection:
            return dict(connection.execute(query).fetchall())


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _await(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > until:
            raise RuntimeError(f"{url} did not come up")
        time.sleep(0.1)


def _scripted(nonce: str, port: int, rng: random.Random) -> bytes:
    """Return a configuration for the scripted engine: a few resources that take their time."""
    resources = [
        {"name": f"r{number}", "input": nonce, "seconds": round(rng.uniform(0, 0.5), 2)} for number in range(3)
    ]
    script = {"plan": [{"sleep": rng.uniform(0, 0.3)}]}
    files = {
        "main.tf": f"# {nonce}\n",
        "fake-engine.json": json.dumps({"resources": resources, "script": script, "journal": [port, nonce]}),
    }
    return archive(files)
