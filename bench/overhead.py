"""What Sluice adds to an engine: POST to awaiting approval, against init, plan and show by hand.

Two cases, each alternating with the raw engine: `terraform_data` x 100, and a VPC with the real AWS provider against an
AWS API on loopback. Expected: at most 60 ms more on the first; on the second, whose configuration was initialized
before, at most as long as the raw engine.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _harness as harness

from app.client import SluiceClient, calls
from tests.support import aws

SMALL = """
resource "terraform_data" "item" {
  count = 100
  input = "item ${count.index}"
}

output "items" {
  value = length(terraform_data.item)
}
"""
MOST_ADDED_SECONDS = 0.060
MOST_RATIO = 1.0
REST_SECONDS = 0.3


def measure(
    server: harness.Server, name: str, configuration: Path, variables: Mapping[str, str], rounds: int
) -> dict[str, Any]:
    """Run both sides ``rounds`` times, each first in turn, after one uncounted round; return the figures of a case."""
    client = server.client()
    tool = harness.engine()
    client.send(calls.create_stack(name))
    client.send(calls.create_workspace(name, name))
    for key, value in variables.items():
        if not key.startswith("TF_"):
            client.send(calls.put_variable(name, key, value, kind="env"))
    harness.say(f"\n{name}: {rounds} rounds, after one that is not counted")
    raw: list[dict[str, float]] = []
    ours: list[dict[str, float]] = []
    for number in range(rounds + 1):
        if number % 2:
            through = plan_through(server, client, name, configuration)
            rest()
            by_hand = harness.raw_plan(tool, configuration, variables)
        else:
            by_hand = harness.raw_plan(tool, configuration, variables)
            rest()
            through = plan_through(server, client, name, configuration)
        rest()
        harness.say(f"  {number}: raw {sum(by_hand.values()):.3f} s, Sluice {sum(through.values()):.3f} s")
        if number:
            raw.append(by_hand)
            ours.append(through)
    return figures(raw, ours)


def rest() -> None:
    """Wait until what came before has ended with all that it does afterwards, so that neither side pays for it."""
    time.sleep(REST_SECONDS)


def plan_through(server: harness.Server, client: SluiceClient, workspace: str, configuration: Path) -> dict[str, float]:
    """Plan through Sluice, from the POST until a client hears that it awaits approval; return seconds by phase.

    ``rest`` is what no phase accounts for: the request, claim and start, settling, and the news of it.
    """
    uploaded = harness.upload(client, configuration)
    started = time.perf_counter()
    run = client.send(calls.request_run(workspace, configuration_id=uploaded))
    status = harness.await_status(server, run.id)
    total = time.perf_counter() - started
    document = client.send(calls.get_run(run.id)).document
    if status != "awaiting_approval":
        raise RuntimeError(f"{run.id} is {status}: {document.get('status_reason')} {document.get('failure')}")
    client.send(calls.stop(run.id, "discard"))
    phases = {"queued": document["timings"]["queued_seconds"] or 0.0}
    phases |= {phase["phase"]: phase["seconds"] for phase in document["timings"]["phases"]}
    return {**phases, "rest": total - sum(phases.values())}


def figures(raw: list[dict[str, float]], ours: list[dict[str, float]]) -> dict[str, Any]:
    """Return medians over the rounds; ratio and difference are taken round by round, since a machine drifts."""
    pairs = [(sum(a.values()), sum(b.values())) for a, b in zip(raw, ours, strict=True)]
    added = [1000 * (b - a) for a, b in pairs]
    steps = {step: harness.median([one[step] for one in raw]) for step in raw[0]}
    phases = {phase: harness.median([one.get(phase, 0.0) for one in ours]) for phase in ours[0]}
    found: dict[str, Any] = {
        "rounds": len(pairs),
        "raw_seconds": harness.median([a for a, _ in pairs]),
        "sluice_seconds": harness.median([b for _, b in pairs]),
        "ratio": round(harness.median([b / a for a, b in pairs]), 3),
        "added_ms": round(harness.median(added), 1),
        "added_ms_middle_half": [round(value, 1) for value in harness.middle_half(added)],
        "raw_steps_seconds": steps,
        "phases_seconds": phases,
    }
    harness.say(
        f"  medians: raw {found['raw_seconds']:.3f} s, Sluice {found['sluice_seconds']:.3f} s; {found['ratio']} x, "
        f"{found['added_ms']:+.0f} ms (half of the rounds within {found['added_ms_middle_half']})"
    )
    for title, parts in (("raw", steps), ("Sluice", phases)):
        harness.say(f"  {title}: " + ", ".join(f"{part.replace('_', ' ')} {took:.3f}" for part, took in parts.items()))
    return found


def main() -> int:
    """Measure both cases and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="counted rounds of the small case")
    parser.add_argument("--aws-rounds", type=int, default=5, help="counted rounds of the AWS case; 0 leaves it out")
    chosen = parser.parse_args()
    if chosen.rounds < 1 or chosen.aws_rounds < 0:
        parser.error("--rounds takes 1 or more, --aws-rounds 0 or more")
    result: dict[str, Any] = {"benchmark": "overhead", "machine": harness.machine()}
    misses: list[str] = []
    with harness.scratch() as directory:
        provider = None if aws.OFF or not chosen.aws_rounds else aws.lay_out_provider(directory, harness.engine().path)
        settings = {"terraform_cli_config_file": str(provider.cli_config)} if provider is not None else {}
        with harness.sluice(directory / "home", **settings) as server:
            tool = harness.engine()
            result["engine"] = f"{tool.kind} {tool.version}"
            result["terraform_data_100"] = small = _small(server, directory, chosen.rounds)
            if small["added_ms"] > 1000 * MOST_ADDED_SECONDS:
                most = 1000 * MOST_ADDED_SECONDS
                misses.append(f"terraform_data x 100: {small['added_ms']} ms added, at most {most:g} expected")
            if provider is not None:
                result["aws_vpc"] = vpc = _vpc(server, provider, directory, chosen.aws_rounds)
                if vpc["ratio"] > MOST_RATIO:
                    misses.append(f"AWS VPC: {vpc['ratio']} x the raw engine, at most {MOST_RATIO} expected")
            else:
                result["aws_vpc"] = "left out: SLUICE_TEST_AWS=off" if aws.OFF else "left out: --aws-rounds 0"
            result["machine_after"] = harness.machine()
    return harness.report(result, misses)


def _small(server: harness.Server, directory: Path, rounds: int) -> dict[str, Any]:
    configuration = directory / "small"
    configuration.mkdir()
    (configuration / "main.tf").write_text(SMALL)
    return measure(server, "terraform-data", configuration, {}, rounds)


def _vpc(server: harness.Server, provider: aws.Provider, directory: Path, rounds: int) -> dict[str, Any]:
    configuration = directory / "vpc"
    configuration.mkdir()
    (configuration / "main.tf").write_text(aws.required_provider(provider.version) + aws.VPC)
    with aws.running_api(directory / "aws.log") as url:
        variables = {**aws.environment(url), "TF_CLI_CONFIG_FILE": str(provider.cli_config)}
        harness.write_lock_file(harness.engine(), configuration, variables)
        return measure(server, "aws-vpc", configuration, variables, rounds)


if __name__ == "__main__":
    sys.exit(main())
