"""One storm from beginning to end: start, drive, kill, let it settle, judge."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.storm import judging, kills
from tests.chaos.storm.desk import Answers, Desk
from tests.chaos.storm.journal import Journal
from tests.chaos.storm.load import STUCK_SECONDS, Driver, Ledger, Site
from tests.chaos.storm.parts import GRACE_SECONDS, LEASE_SECONDS, Installation, installed

QUIET_SECONDS = 3 * LEASE_SECONDS + GRACE_SECONDS + 120.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a storm is made of. ``seconds`` is about how long kills go on; settling comes on top."""

    seed: int
    kills: int
    seconds: float
    managed: int = 5
    local: int = 1
    weights: dict[kills.Kind, int] | None = None
    keep: Path | None = None


def run(options: Options, say: Say, guards: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a storm; return its figures, with ``violations`` empty when everything held."""
    begun = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    directory.chmod(0o755)

    def stamped(text: str) -> None:
        say(f"{time.monotonic() - begun:7.1f} s  {text}")

    try:
        with installed(directory, guards) as (installation, token), Journal() as journal:
            try:
                found = _Storm(options, installation, token, journal, stamped).run()
            finally:
                if options.keep is not None:
                    shutil.copytree(installation.home.logs, options.keep, dirs_exist_ok=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return {**found, "seconds": round(time.monotonic() - begun)}


class _Storm:
    def __init__(self, options: Options, installation: Installation, token: str, journal: Journal, say: Say) -> None:
        self._options = options
        self._installation = installation
        self._journal = journal
        self._say = say
        self._ledger = Ledger()
        self._answers = Answers()
        self._token = token
        self._desk = Desk(installation.urls, token, self._answers)

    def run(self) -> dict[str, Any]:
        options = self._options
        self._await_apis()
        site, workspaces = self._furnish()
        stop = threading.Event()
        drivers = [Driver(site, name, f"{options.seed} {name}", stop) for name in workspaces]
        for driver in drivers:
            driver.start()
        planned = kills.plan(options.seed, options.kills, options.seconds, options.weights)
        killer = kills.Killer(self._installation, self._say)
        killer.carry_out(planned, lambda: not any(driver.is_alive() for driver in drivers))
        self._say(f"{sum(killer.done.values())} kills are done; letting it settle")
        stop.set()
        self._settle(drivers, killer)
        return self._judge(workspaces, killer)

    def _await_apis(self) -> None:
        for url in self._installation.urls:
            until = time.monotonic() + QUIET_SECONDS
            while True:
                try:
                    if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                assert time.monotonic() < until, f"{url} did not come up"
                time.sleep(0.1)

    def _furnish(self) -> tuple[Site, list[str]]:
        """Make who asks and where; return both."""
        desk = self._desk
        desk.post("/service-accounts", {"name": "chaos", "roles": ["planner"]})
        planner = desk.post("/tokens", {"name": "chaos", "service_account": "chaos"})["token"]
        workspaces = []
        for backend, count in (("managed", self._options.managed), ("local", self._options.local)):
            for number in range(1, count + 1):
                name = f"{backend}{number}"
                desk.post("/terraform/stacks", {"name": name})
                desk.post("/terraform/workspaces", {"name": name, "stack": name, "state_backend": backend})
                workspaces.append(name)
        urls = self._installation.urls
        return Site(urls, planner, self._token, self._journal.port, self._answers, self._ledger), workspaces

    def _settle(self, drivers: list[Driver], killer: kills.Killer) -> None:
        """Give every driver the time to finish, then the processes and leases to end."""
        until = time.monotonic() + 2 * STUCK_SECONDS
        while any(driver.is_alive() for driver in drivers) and time.monotonic() < until:
            killer.carry_out([], lambda: False)
        for driver in drivers:
            if driver.is_alive():
                self._ledger.violate(f"the driver of {driver.workspace} did not come to its end")
            else:
                _note_lock(self._desk, driver.workspace, self._ledger)
        until = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < until:
            stuck, _ = judging.judge_database(self._installation.database_url)
            if not stuck and not self._installation.supervisors():
                return
            time.sleep(1)

    def _judge(self, workspaces: list[str], killer: kills.Killer) -> dict[str, Any]:
        entries = self._journal.entries()
        wrong, ended = judging.judge_database(self._installation.database_url)
        violations = [*self._ledger.violations, *wrong, *judging.judge_applies(entries), *self._answers.faults]
        violations += judging.judge_starts(self._desk, workspaces)
        violations += [f"left alive: {process}" for process in self._installation.supervisors()]
        kept = judging.judge_resources(self._desk, workspaces, entries, self._ledger)
        violations += kept.missing
        chain = self._desk.get("/audit/chain")
        return {
            "seed": self._options.seed,
            "kills": sum(killer.done.values()),
            "kills_by_kind": dict(sorted(killer.done.items())),
            "parts_that_ended_alone": len(killer.ended_alone),
            "runs": ended,
            "journal": len(entries),
            "in_state_version": kept.in_state_version,
            "in_errored_state": kept.in_errored_state,
            "on_recovery_list": kept.on_recovery_list,
            "missing": len(kept.missing),
            "locks_released_by_operator": len(self._ledger.released),
            "answers": dict(sorted(self._answers.statuses.items())),
            "audit_chain": chain,
            "violations": violations,
        }


def _note_lock(desk: Desk, workspace: str, ledger: Ledger) -> None:
    """Note a lock that is left when nobody works any more."""
    lock = desk.get(f"/terraform/workspaces/{workspace}/state-lock")
    if lock is not None:
        ledger.violate(f"{workspace} is still locked: {json.dumps(lock)}")
