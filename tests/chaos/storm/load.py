"""The work that goes on while parts die: in each workspace one driver after the other plans, approves and applies."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.chaos.storm import configuration
from tests.chaos.storm.desk import Answers, Desk

POLL_SECONDS = 0.4
STUCK_SECONDS = 240.0
LIVE = frozenset({"queued", "running", "approved"})
GATE = frozenset({"awaiting_approval", "policy_blocked"})


class Stuck(Exception):
    """A run did not go on for longer than every lease, grace period and restart together."""


@dataclass
class Ledger:
    """What all drivers did: the plan of each nonce, how runs ended, which locks an operator released."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    plans: dict[str, str] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    released: list[dict[str, Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def violate(self, text: str) -> None:
        """Note what must not be."""
        with self.lock:
            self.violations.append(text)


@dataclass(frozen=True)
class Site:
    """Where drivers work: the addresses, who asks and who decides, where resources make themselves known."""

    urls: list[str]
    planner: str
    admin: str
    journal_port: int
    answers: Answers
    ledger: Ledger


class Driver(threading.Thread):
    """One workspace's work, as its own seed says it, until ``stop`` is set; ends with a run that must be applied."""

    def __init__(self, site: Site, workspace: str, seed: str, stop: threading.Event) -> None:
        super().__init__(name=f"driver-{workspace}", daemon=True)
        self._site, self.workspace, self._stop_order = site, workspace, stop
        self._rng = random.Random(seed)
        self._planner = Desk(site.urls, site.planner, site.answers)
        self._admin = Desk(site.urls, site.admin, site.answers)
        self._count = 0
        self._has_applied = False

    def run(self) -> None:
        """Work, and note whatever stops it: a driver that ends early is a violation."""
        try:
            while not self._stop_order.is_set():
                self._cycle()
            self._last_word()
        except Stuck as error:
            self._site.ledger.violate(f"stuck: {error}")
        except Exception as error:
            self._site.ledger.violate(f"the driver of {self.workspace} failed: {error!r}")
        finally:
            self._planner.close()
            self._admin.close()

    def _cycle(self) -> None:
        chosen = self._rng.random()
        # Before the first plan has come to its end, there is nothing that a destroy could look at.
        if chosen < 0.10 and self._has_applied:
            self._take("destroy")
        elif chosen < 0.18:
            self._settled(self._request("plan", speculative=True))
        elif chosen < 0.32:
            self._take("plan", cancel_after=self._rng.uniform(0, 5))
        elif chosen < 0.40:
            beside = self._request("plan")
            self._take("plan")
            self._discard(beside)
        else:
            self._take("plan")

    def _take(self, kind: str, *, cancel_after: float | None = None) -> str:
        """Take a run from its request to its end; return its status."""
        run_id = self._request(kind)
        cancel_at = time.monotonic() + cancel_after if cancel_after is not None else None
        run = self._settled(run_id, cancel_at)
        if run["status"] in GATE:
            self._approve(run_id)
            run = self._ended(run_id, cancel_at)
        self._has_applied |= run["status"] == "applied"
        with self._site.ledger.lock:
            self._site.ledger.ended[f"{kind} {run['status']}"] += 1
        return str(run["status"])

    def _last_word(self) -> None:
        """With everything alive again, one run must go all the way: nothing in the workspace holds it up."""
        status = self._take("plan")
        if status != "applied":
            self._site.ledger.violate(f"the last run of {self.workspace} ended {status}")

    # Steps, as people and programs take them.

    def _request(self, kind: str, *, speculative: bool = False) -> str:
        self._count += 1
        nonce = f"{self.workspace}-{self._count}"
        body: dict[str, Any] = {"workspace": self.workspace, "kind": kind, "message": nonce, "speculative": speculative}
        if kind == "plan":
            packed = configuration.packed(nonce, self._site.journal_port, self._rng)
            kept = self._planner.send(
                "POST", "/terraform/configurations", content=packed, headers={"Content-Type": "application/gzip"}
            )
            assert kept.status_code in {200, 201}, kept.text
            body["configuration_id"] = kept.json()["id"]
        key = str(UUID(int=self._rng.getrandbits(128)))
        made = self._planner.post("/terraform/runs", body, headers={"Idempotency-Key": key})
        with self._site.ledger.lock:
            self._site.ledger.plans[nonce] = made["id"]
        return str(made["id"])

    def _approve(self, run_id: str) -> None:
        # Refused when an attempt whose answer was lost has done it, or when the run moved on meanwhile.
        self._admin.post(f"/terraform/runs/{run_id}/approve", {}, codes=(200, 409))

    def _discard(self, run_id: str) -> None:
        run = self._settled(run_id)
        if run["status"] in GATE:
            self._planner.post(f"/terraform/runs/{run_id}/discard", {}, codes=(200, 409))

    def _settled(self, run_id: str, cancel_at: float | None = None) -> dict[str, Any]:
        """Wait until the run is at the gate or over."""
        return self._wait(run_id, cancel_at, lambda run: run["status"] in GATE or run["finished_at"] is not None)

    def _ended(self, run_id: str, cancel_at: float | None = None) -> dict[str, Any]:
        """Wait until the run is over."""
        return self._wait(run_id, cancel_at, lambda run: run["finished_at"] is not None)

    def _wait(self, run_id: str, cancel_at: float | None, is_there: Any) -> dict[str, Any]:
        until = time.monotonic() + STUCK_SECONDS
        polls = 0
        while True:
            run: dict[str, Any] = self._planner.get(f"/terraform/runs/{run_id}")
            if is_there(run):
                return run
            if cancel_at is not None and time.monotonic() >= cancel_at:
                cancel_at = None
                self._planner.post(f"/terraform/runs/{run_id}/cancel", {"reason": "chaos"}, codes=(200, 202, 409))
            polls += 1
            if polls % 5 == 0:
                self.release_orphaned()
            if time.monotonic() > until:
                facts = {name: run[name] for name in ("id", "kind", "status", "phase", "claimed_by", "child", "lock")}
                raise Stuck(f"{self.workspace}: {facts}")
            time.sleep(POLL_SECONDS)

    def release_orphaned(self) -> None:
        """Do what the runbook says about an orphaned lock: look who died, then release it."""
        lock = self._admin.get(f"/terraform/workspaces/{self.workspace}/state-lock")
        if lock is None or not lock["is_orphaned"]:
            return
        holder = self._admin.get(f"/terraform/runs/{lock['run_id']}")
        if holder["proof_of_death"] is None:
            self._site.ledger.violate(f"orphaned lock of {lock['run_id']} whose death nobody proves")
        self._admin.post(f"/terraform/workspaces/{self.workspace}/state-lock/release", {}, codes=(204, 409))
        with self._site.ledger.lock:
            self._site.ledger.released.append({"workspace": self.workspace, "run_id": lock["run_id"]})
