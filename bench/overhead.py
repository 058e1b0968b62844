"""What Sluice adds to an engine: POST to awaiting approval, against init, plan and show by hand.

Two cases, each alternating with the raw engine: `terraform_data` x 100, and a VPC with the real AWS provider against an
AWS API on loopback. Expected: at most 150 ms more on the first, at most 1.10 times the raw engine on the second.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _harness as harness

from app.client import calls
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
MOST_ADDED_SECONDS = 0.150
MOST_RATIO = 1.10


def measure(
    server: harness.Server, name: str, configuration: Path, variables: Mapping[str, str], rounds: int
) -> dict[str, Any]:
    """Run both sides ``rounds`` times in turn, after one uncounted round, and return the figures of one case."""
    client = server.client()
    tool = harness.engine()
    client.send(calls.create_stack(name))
    client.send(calls.create_workspace(name, name))
    for key, value in variables.items():
        if not key.startswith("TF_"):
            client.send(calls.put_variable(name, key, value, kind="env"))
    raw: list[float] = []
    ours: list[float] = []
    phases: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        by_hand = harness.raw_plan(tool, configuration, variables)
        uploaded = harness.upload(client, configuration)
        started = time.perf_counter()
        run = client.send(calls.request_run(name, configuration_id=uploaded))
        status = harness.await_status(server, run.id)
        through = time.perf_counter() - started
        if status != "awaiting_approval":
            raise RuntimeError(
                f"{run.id} is {status}: {client.send(calls.get_run(run.id)).document.get('status_reason')}"
            )
        timings = client.send(calls.get_run(run.id)).document["timings"]
        client.send(calls.stop(run.id, "discard"))
        print(f"{name} {number}: raw {by_hand:.3f} s, Sluice {through:.3f} s", file=sys.stderr)
        if number == 0:
            continue
        raw.append(by_hand)
        ours.append(through)
        for phase in timings["phases"]:
            phases.setdefault(phase["phase"], []).append(phase["seconds"])
        phases.setdefault("queued", []).append(timings["queued_seconds"])
    return {
        "rounds": rounds,
        "raw_seconds": harness.median(raw),
        "sluice_seconds": harness.median(ours),
        "ratio": round(harness.median([b / a for a, b in zip(raw, ours, strict=True)]), 3),
        "added_ms": round(1000 * harness.median([b - a for a, b in zip(raw, ours, strict=True)]), 1),
        "phases_seconds": {phase: harness.median(values) for phase, values in phases.items()},
    }


def main() -> int:
    """Measure both cases and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds of the small case")
    parser.add_argument("--aws-rounds", type=int, default=5, help="counted rounds of the AWS case")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "overhead"}
    misses: list[str] = []
    with harness.scratch() as directory:
        provider = None if aws.OFF else aws.lay_out_provider(directory, harness.engine().path)
        settings = {"terraform_cli_config_file": str(provider.cli_config)} if provider is not None else {}
        with harness.sluice(directory / "home", **settings) as server:
            tool = harness.engine()
            result["engine"] = f"{tool.kind} {tool.version}"
            result["terraform_data_100"] = small = _small(server, directory, chosen.rounds)
            if small["added_ms"] > 1000 * MOST_ADDED_SECONDS:
                misses.append(f"terraform_data x 100: {small['added_ms']} ms added, at most 150 expected")
            if provider is not None:
                result["aws_vpc"] = vpc = _vpc(server, provider, directory, chosen.aws_rounds)
                if vpc["ratio"] > MOST_RATIO:
                    misses.append(f"AWS VPC: {vpc['ratio']} x the raw engine, at most {MOST_RATIO} expected")
            else:
                result["aws_vpc"] = "left out: SLUICE_TEST_AWS=off"
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
        return measure(server, "aws-vpc", configuration, variables, rounds)


if __name__ == "__main__":
    sys.exit(main())
