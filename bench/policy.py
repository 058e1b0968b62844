"""What policy checks cost: by engine and size of the plan, and what they add to a plan through Sluice.

First the check alone, from the plan document to the verdict, with all shipped policy sets attached: plans of 10, 1,000
and 10,000 resources, each engine in turn. Then, in one `sluice up`, plans of a hundred `terraform_data` in a workspace
that binds all sets and in one that binds none, in turn. Expected: a check of 1,000 resources takes a second at most,
and the ten sets add at most 250 ms to a small plan.
"""

import argparse
import datetime as dt
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import _harness as harness
from overhead import SMALL, plan_through, rest

from app.client import calls, policy_calls
from app.core.settings import Settings
from app.executor.errors import ToolMissing
from app.policy import bundles, redaction
from app.policy.checker import PolicyChecker
from app.policy.schemas import PinnedAttachment

SIZES = (10, 1_000, 10_000)
MOST_SECONDS = 1.0
MOST_ADDED_SECONDS = 0.25
POLICIES = harness.ROOT / "policies"


def plan_document(resources: int) -> dict[str, Any]:
    """Return a plan document, as engines write it, that creates so many buckets and instances."""
    changes, planned = [], []
    for number in range(resources):
        kind = ("aws_s3_bucket", "aws_instance", "aws_security_group")[number % 3]
        after = {
            "id": None,
            "bucket": f"bucket-{number}",
            "acl": "private",
            "instance_type": "t3.micro",
            "availability_zone": "eu-central-1a",
            "ingress": [{"from_port": 443, "to_port": 443, "cidr_blocks": ["10.0.0.0/8"]}],
            "tags": {"owner": "team", "environment": "dev", "cost-center": str(number)},
            "password": f"secret-{number}",
        }
        address = f"{kind}.item[{number}]"
        head = {"address": address, "mode": "managed", "type": kind, "name": "item", "index": number}
        marks = {"password": True, "tags": {}}
        change = {"actions": ["create"], "before": None, "after": after, "after_unknown": {"id": True}}
        change |= {"before_sensitive": False, "after_sensitive": marks}
        provider = "registry.opentofu.org/hashicorp/aws"
        changes.append({**head, "provider_name": provider, "change": change})
        planned.append({**head, "provider_name": provider, "values": after, "sensitive_values": marks})
    return {
        "format_version": "1.2",
        "resource_changes": changes,
        "planned_values": {"root_module": {"resources": planned}},
        "configuration": {
            "provider_config": {"aws": {"name": "aws", "full_name": "registry.opentofu.org/hashicorp/aws"}},
            "root_module": {"resources": [], "variables": {"name": {"default": "x"}}},
        },
    }


def shipped(checker: PolicyChecker) -> list[PinnedAttachment]:
    """Return all shipped sets as attachments."""
    found = []
    for item in bundles.shipped(POLICIES):
        bundle = checker.compile(bundles.load(POLICIES, item.uri))
        found.append(
            PinnedAttachment(
                id=item.name,
                policy_set_uri=item.uri,
                enforcement_level="hard-mandatory",
                waives_unevaluable=False,
                bundle=bundle,
                bundle_digest=bundle.digest,
            )
        )
    return found


def check_times(engine: str, rounds: int) -> dict[str, Any]:
    """Return, by number of resources, the seconds of building the input and of checking it, and CPU seconds of both."""
    checker = PolicyChecker(Settings(policy_engine=engine))  # type: ignore[arg-type]  # one of its literals
    pinned = shipped(checker)
    found: dict[str, Any] = {"engine": checker.engine_name(), "policy_sets": len(pinned)}
    for size in SIZES:
        content = json.dumps(plan_document(size))
        built, checked, spent = [], [], []
        for _ in range(rounds if size < max(SIZES) else max(1, rounds // 3)):
            plan = json.loads(content)
            before, began = os.times(), time.perf_counter()
            document = redaction.build_input(
                plan,
                run={"id": "run-1"},
                spec={"hash": "0", "number": 1, "document": {}},
                workspace={"id": "ws-1", "name": "net", "tags": []},
                actor={"id": "user-1", "kind": "person", "name": "a"},
                state_summary=None,
                time=dt.datetime.now(dt.UTC),
            )
            middle = time.perf_counter()
            report = checker.check(pinned, document)
            ended, after = time.perf_counter(), os.times()
            if any(result.error for result in report.results):
                raise RuntimeError(report.summary)
            built.append(middle - began)
            checked.append(ended - middle)
            spent.append(sum(after[:4]) - sum(before[:4]))
        found[str(size)] = {
            "document_bytes": len(content),
            "input_seconds": harness.median(built),
            "check_seconds": harness.median(checked),
            "cpu_seconds": harness.median(spent),
        }
        harness.say(
            f"  {size:6,} resources: input {harness.median(built):.3f} s, check {harness.median(checked):.3f} s, "
            f"CPU {harness.median(spent):.3f} s"
        )
    return found


def added(server: harness.Server, directory: Path, rounds: int) -> dict[str, Any]:
    """Return what all shipped sets add to a small plan: with and without in turn, each first in every other round."""
    client = server.client()
    configuration = directory / "small"
    configuration.mkdir()
    (configuration / "main.tf").write_text(SMALL)
    for name in ("without", "with"):
        client.send(calls.create_stack(name))
        client.send(calls.create_workspace(name, name))
    sets = client.send(calls.get("/terraform/policy-sets"))
    for item in sets:
        client.send(policy_calls.attach_policies(item["uri"], "advisory", workspace="with"))
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    phases: list[float] = []
    for number in range(rounds + 1):
        for name in ("without", "with") if number % 2 else ("with", "without"):
            through = plan_through(server, client, name, configuration)
            rest()
            if number:
                seconds[name].append(sum(through.values()))
                if name == "with":
                    phases.append(through.get("checking_policies", 0.0))
    differences = [b - a for a, b in zip(seconds["without"], seconds["with"], strict=True)]
    found = {
        "rounds": rounds,
        "policy_sets": len(sets),
        "without_seconds": harness.median(seconds["without"]),
        "with_seconds": harness.median(seconds["with"]),
        "added_ms": round(1000 * harness.median(differences), 1),
        "added_ms_middle_half": [round(1000 * value, 1) for value in harness.middle_half(differences)],
        "checking_policies_seconds": harness.median(phases),
    }
    harness.say(
        f"  without {found['without_seconds']:.3f} s, with {found['with_seconds']:.3f} s: {found['added_ms']:+.0f} ms "
        f"(half of the rounds within {found['added_ms_middle_half']})"
    )
    return found


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each check; a third of it for the largest")
    parser.add_argument("--plans", type=int, default=12, help="counted plans with, and as many without policies")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "policy", "machine": harness.machine()}
    misses: list[str] = []
    for engine in ("opa", "regorus"):
        harness.say(f"\n{engine}: all shipped policy sets, {chosen.rounds} rounds")
        try:
            result[engine] = found = check_times(engine, chosen.rounds)
        except ToolMissing:
            result[engine] = "left out: it is not installed"
            continue
        taken = found["1000"]["input_seconds"] + found["1000"]["check_seconds"]
        if taken > MOST_SECONDS:
            misses.append(f"{engine}: {taken:.2f} s for 1,000 resources, at most {MOST_SECONDS:g} expected")
    harness.say(f"\nterraform_data x 100 through Sluice, with and without policies: {chosen.plans} rounds")
    with harness.scratch() as directory, harness.sluice(directory / "home") as server:
        result["added"] = found = added(server, directory, chosen.plans)
        if found["added_ms"] > 1000 * MOST_ADDED_SECONDS:
            misses.append(f"policies add {found['added_ms']} ms, at most {1000 * MOST_ADDED_SECONDS:g} expected")
        result["machine_after"] = harness.machine()
    return harness.report(result, misses)


if __name__ == "__main__":
    sys.exit(main())
