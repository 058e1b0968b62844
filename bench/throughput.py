"""How many small plans go through in a second: Sluice against the raw engine, at the same parallelism.

200 plans of ``terraform_data`` x 100 in 20 workspaces that were planned before, without a policy; the same 200 by hand
(init, plan, show on a fresh copy each). Both in turn, 50 at a time. Then 100 more with all shipped policies attached.
Expected: without policies at least 0.8 of the raw engine's rate. CPU seconds are the whole machine's, but for this
process, so they hold only where nothing else runs.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _harness as harness
from overhead import SMALL

from app.client import SluiceClient, calls

PLANS = 200
CHUNKS = 4
WORKSPACES = 20
PARALLEL = 4
PLANS_WITH_POLICIES = 100
LEAST_RATIO = 0.8
POLL_SECONDS = 0.1
MOST_SECONDS = 600.0
POLICIES = harness.ROOT / "policies"


@dataclass(frozen=True)
class Stretch:
    """What a number of plans took: seconds by the clock, and CPU seconds of everything but this process."""

    plans: int
    seconds: float
    cpu_seconds: float


def measured(plans: int, work: Callable[[], None]) -> Stretch:
    """Do ``work``, which makes ``plans`` plans, and say what it took."""
    cpu, started = busy_seconds(), time.perf_counter()
    work()
    return Stretch(plans, time.perf_counter() - started, busy_seconds() - cpu)


def busy_seconds() -> float:
    """Return the CPU seconds that the machine has spent so far, those of this process and its threads left out."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(fields) - fields[3] - fields[4]
    own = resource.getrusage(resource.RUSAGE_SELF)
    return busy / 100 - own.ru_utime - own.ru_stime


def by_hand(configuration: Path, plans: int) -> None:
    """Plan ``plans`` times with the engine alone."""
    tool = harness.engine()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for _ in pool.map(lambda _: harness.raw_plan(tool, configuration, {}), range(plans)):
            pass


def through(server: harness.Server, workspaces: list[str], uploaded: str, plans: int) -> None:
    """Request ``plans`` plans, spread over the workspaces, and wait until the last one has settled.

    Over the WebSocket for those that were asked for last, as CI does; asking again and again would cost the API.
    """
    client = server.client()
    wanted = [workspaces[number % len(workspaces)] for number in range(plans)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        runs = [run.id for run in pool.map(lambda name: ask(client, name, uploaded), wanted)]
    for run_id in runs[-PARALLEL:]:
        harness.await_status(server, run_id)
    until = time.monotonic() + MOST_SECONDS
    while client.send(calls.list_runs(statuses=["queued", "running"], limit=1)).items:
        if time.monotonic() > until:
            raise RuntimeError(f"{plans} plans were not done within {MOST_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    for run_id in (runs[0], runs[-1]):
        if (status := client.send(calls.get_run(run_id)).status) not in {"awaiting_approval", "policy_blocked"}:
            raise RuntimeError(f"{run_id} is {status}")


def ask(client: SluiceClient, workspace: str, uploaded: str) -> Any:
    """Request one plan."""
    return client.send(calls.request_run(workspace, configuration_id=uploaded))


def attach_all(client: SluiceClient) -> int:
    """Attach every shipped policy set to the organization; return how many there are."""
    names = sorted(found.name for found in POLICIES.iterdir() if (found / "policy.rego").exists())
    for name in names:
        body = {"policy_set_uri": f"policies/{name}", "enforcement_level": "hard-mandatory"}
        client.send(calls.post("/terraform/policy-attachments", body))
    return len(names)


def rate(stretches: list[Stretch]) -> float:
    """Return plans a second over several stretches."""
    return sum(one.plans for one in stretches) / sum(one.seconds for one in stretches)


def cpu_each(stretches: list[Stretch]) -> float:
    """Return CPU seconds a plan over several stretches."""
    return round(sum(one.cpu_seconds for one in stretches) / sum(one.plans for one in stretches), 3)


def tell(title: str, stretches: list[Stretch]) -> None:
    """Say for people what a side took."""
    harness.say(f"  {title}: {rate(stretches):.2f} plans a second, {cpu_each(stretches):.3f} CPU seconds each")


def main() -> int:
    """Measure both sides in turn, then Sluice with policies, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=PLANS, help="plans of each side")
    parser.add_argument("--policy-plans", type=int, default=PLANS_WITH_POLICIES, help="plans with policies; 0: none")
    chosen = parser.parse_args()
    chunk = max(1, chosen.plans // CHUNKS)
    raw: list[Stretch] = []
    ours: list[Stretch] = []
    result: dict[str, Any] = {"benchmark": "throughput", "machine": harness.machine(), "parallel": PARALLEL}
    with harness.scratch() as directory:
        configuration = directory / "small"
        configuration.mkdir()
        (configuration / "main.tf").write_text(SMALL)
        with harness.sluice(directory / "home", worker_concurrency=str(PARALLEL)) as server:
            client = server.client()
            client.send(calls.create_stack("small"))
            names = [f"small-{number}" for number in range(WORKSPACES)]
            for name in names:
                client.send(calls.create_workspace(name, "small"))
            uploaded = harness.upload(client, configuration)
            harness.say(f"one plan in each of {WORKSPACES} workspaces that is not counted")
            through(server, names, uploaded, WORKSPACES)
            by_hand(configuration, PARALLEL)
            for number in range(CHUNKS):
                sides = [
                    (raw, lambda: by_hand(configuration, chunk)),
                    (ours, lambda: through(server, names, uploaded, chunk)),
                ]
                for kept, work in sides if number % 2 else reversed(sides):
                    kept.append(measured(chunk, work))
                harness.say(f"  {number + 1}: raw {rate(raw[-1:]):.2f}, Sluice {rate(ours[-1:]):.2f} plans a second")
            tell("raw", raw)
            tell("Sluice", ours)
            ratio = round(rate(ours) / rate(raw), 3)
            harness.say(f"  {ratio} of the raw engine's rate")
            result |= {
                "plans": chunk * CHUNKS,
                "raw_per_second": round(rate(raw), 2),
                "sluice_per_second": round(rate(ours), 2),
                "ratio": ratio,
                "ratios": [round(rate([a]) / rate([b]), 3) for a, b in zip(ours, raw, strict=True)],
                "raw_cpu_seconds": cpu_each(raw),
                "sluice_cpu_seconds": cpu_each(ours),
            }
            if chosen.policy_plans:
                attached = attach_all(client)
                judged = [measured(chosen.policy_plans, lambda: through(server, names, uploaded, chosen.policy_plans))]
                tell(f"Sluice with {attached} policy sets", judged)
                result["with_policies"] = {
                    "policy_sets": attached,
                    "plans": chosen.policy_plans,
                    "sluice_per_second": round(rate(judged), 2),
                    "ratio": round(rate(judged) / rate(raw), 3),
                    "sluice_cpu_seconds": cpu_each(judged),
                }
            result["machine_after"] = harness.machine()
    tool = harness.engine()
    result["engine"] = f"{tool.kind} {tool.version}"
    misses = [] if ratio >= LEAST_RATIO else [f"{ratio} of the raw engine's rate, at least {LEAST_RATIO} expected"]
    return harness.report(result, misses)


if __name__ == "__main__":
    sys.exit(main())
