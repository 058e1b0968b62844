"""A draft policy over the last 100 plans: how long it takes, and plans a second, beside `opa eval` by hand.

100 real plans by real runs (every other one of ``terraform_data`` x 100, the rest x 30) in 10 workspaces. Then in turn,
a few times: a rehearsal of the draft over all of them, by the clock of the server (start to end) and of the client
(request to the last result read); and a shell-like loop of `opa eval`, one process a plan, over the same documents,
which were read from the API before. Both must deny the same plans. Expected: at least as many plans a second as the
loop, by the client's clock.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import _harness as harness
from overhead import SMALL
from throughput import through

from app.client import SluiceClient, calls, rehearsal_calls
from app.core.settings import Settings
from app.executor import discovery

PLANS = 100
WORKSPACES = 10
ROUNDS = 3
LEAST_RATIO = 1.0
POLL_SECONDS = 0.05
DRAFT = """# METADATA
# title: No more than fifty new resources at once
package draft

creates := [change.address |
	some change in input.plan.resource_changes
	"create" in change.change.actions
]

deny contains finding if {
	count(creates) > 50
	finding := {"message": sprintf("%d new resources", [count(creates)]), "address": creates[0]}
}

warn contains sprintf("%s has no tag", [input.workspace.name]) if count(input.workspace.tags) == 0
"""
QUERY = '{"deny": data.draft.deny, "warn": data.draft.warn}'


def make_plans(server: harness.Server, directory: Path, plans: int) -> list[str]:
    """Make the plans by runs; return the run ids."""
    client = server.client()
    client.send(calls.create_stack("small"))
    names = [f"small-{number}" for number in range(WORKSPACES)]
    for name in names:
        client.send(calls.create_workspace(name, "small"))
    for resources in (100, 30):
        configuration = directory / f"of-{resources}"
        configuration.mkdir()
        (configuration / "main.tf").write_text(SMALL.replace("count = 100", f"count = {resources}"))
        through(server, names, harness.upload(client, configuration), plans // 2)
    return [run.id for run in client.items(lambda cursor: calls.list_runs(limit=100, cursor=cursor), limit=plans)]


def rehearse(client: SluiceClient, plans: int) -> tuple[Any, set[str], float]:
    """Rehearse the draft; return the rehearsal, the runs that it would block, and the client's seconds."""
    started = time.perf_counter()
    asked = client.send(rehearsal_calls.request_rehearsal(files={"draft.rego": DRAFT}, last=plans))
    found = asked
    while not found.is_over:
        time.sleep(POLL_SECONDS)
        found = client.send(rehearsal_calls.get_rehearsal(asked.id))
    results = list(client.items(lambda cursor: rehearsal_calls.rehearsal_results(asked.id, cursor=cursor)))
    seconds = time.perf_counter() - started
    if found.status != "finished" or len(results) != plans:
        raise RuntimeError(f"{found.status} with {len(results)} results: {found.status_reason}")
    return found, {item.run_id for item in results if item.effect == "newly_blocks"}, seconds


def by_hand(opa: Path, policy: Path, documents: dict[str, Path]) -> tuple[set[str], float]:
    """Evaluate one document after the other; return the runs that were denied, and the seconds."""
    denied: set[str] = set()
    started = time.perf_counter()
    for run_id, document in documents.items():
        command = [opa, "eval", "--format", "json", "--data", policy, "--input", document, QUERY]
        done = subprocess.run(command, capture_output=True, check=True, env={"PATH": "/usr/bin"})
        if json.loads(done.stdout)["result"][0]["expressions"][0]["value"]["deny"]:
            denied.add(run_id)
    return denied, time.perf_counter() - started


def main() -> int:
    """Make the plans, measure both sides in turn, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=PLANS, help="plans that are rehearsed over, 500 at most")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each side is measured")
    chosen = parser.parse_args()
    opa = discovery.find_opa(Settings())
    result: dict[str, Any] = {"benchmark": "rehearsal", "machine": harness.machine(), "plans": chosen.plans}
    with harness.scratch() as directory, harness.sluice(directory / "home") as server:
        client = server.client()
        started = time.perf_counter()
        runs = make_plans(server, directory, chosen.plans)
        harness.say(f"{len(runs)} plans made by runs in {time.perf_counter() - started:.1f} s")
        policy = directory / "draft.rego"
        policy.write_text(DRAFT)
        documents = {run_id: directory / f"{run_id}.json" for run_id in runs}
        for run_id, file in documents.items():
            file.write_text(json.dumps(client.send(rehearsal_calls.policy_input(run_id))))
        megabytes = sum(file.stat().st_size for file in documents.values()) / 1e6
        ours: list[float] = []
        worked: list[float] = []
        raw: list[float] = []
        for number in range(chosen.rounds):
            done, blocked, seconds = rehearse(client, len(runs))
            denied, raw_seconds = by_hand(opa.path, policy, documents)
            if blocked != denied or len(blocked) != len(runs) // 2:
                raise RuntimeError(f"the rehearsal blocks {len(blocked)} plans, opa by hand {len(denied)}")
            ours.append(seconds)
            worked.append(done.seconds or 0.0)
            raw.append(raw_seconds)
            harness.say(
                f"  {number + 1}: rehearsal {seconds:.2f} s (server {worked[-1]:.2f} s), opa eval {raw_seconds:.2f} s"
            )
        ours_rate, raw_rate = (round(len(runs) / harness.median(side), 1) for side in (ours, raw))
        ratio = round(ours_rate / raw_rate, 2)
        harness.say(f"  {ours_rate} plans a second, opa eval by hand {raw_rate}: {ratio} of its rate")
        harness.say(f"  {done.newly_blocked} of {done.total} plans would newly be blocked, as by hand")
        result |= {
            "policy_engine": done.policy_engine,
            "documents_mb": round(megabytes, 1),
            "newly_blocked": done.newly_blocked,
            "seconds": harness.median(ours),
            "server_seconds": harness.median(worked),
            "plans_per_second": ours_rate,
            "opa_eval_seconds": harness.median(raw),
            "opa_eval_plans_per_second": raw_rate,
            "ratio": ratio,
            "machine_after": harness.machine(),
        }
    misses = [] if ratio >= LEAST_RATIO else [f"{ratio} of opa eval's rate, at least {LEAST_RATIO} expected"]
    return harness.report(result, misses)


if __name__ == "__main__":
    sys.exit(main())
