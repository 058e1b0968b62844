"""`sluice policy rehearse|try|input` against a running Sluice: real plans, the real worker, the real engine."""

import json
from pathlib import Path

import pytest

from tests.support.server import RunningSluice

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("cli"),
]
POLICY = """package draft

deny contains finding if {
	some change in input.plan.resource_changes
	change.change.after.input == "two"
	finding := {"message": "not two", "address": change.address}
}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    root = tmp_path / "policy"
    (root / "lib").mkdir(parents=True)
    (root / "policy.rego").write_text(POLICY)
    (root / "policy_test.rego").write_text("this is no Rego")
    return root


def test_draft_is_rehearsed_over_plans_and_tried_on_one(
    sluice: RunningSluice, directory: Path, policy: Path, tmp_path: Path
) -> None:
    plan = ("plan", directory, "--workspace", "rehearsed", "--create", "--wait")
    first = sluice.ask(*plan, code=2)
    (directory / "main.tf").write_text('resource "terraform_data" "it" {\n  input = "two"\n}\n')
    second = sluice.ask(*plan, code=2)
    assert (first["verdict"], second["verdict"]) == ("passed", "passed")

    done = sluice.ask("policy", "rehearse", policy, "-w", "rehearsed", "--last", "50", code=3)
    assert (done["status"], done["total"], done["newly_blocked"], done["would_pass"]) == ("finished", 2, 1, 1)
    assert [(item["run_id"], item["effect"]) for item in done["results"]] == [
        (second["id"], "newly_blocks"),
        (first["id"], "passes"),
    ]
    assert done["results"][0]["findings"][0]["address"] == "terraform_data.it"
    shown = sluice.run("policy", "rehearse", policy, "-w", "rehearsed")
    assert shown.code == 3
    assert second["id"] in shown.out
    assert "terraform_data.it: not two" in shown.out
    assert first["id"] not in shown.out
    assert "2 plans: 1 newly blocked, 1 blocked in all, 0 warned of, 1 passed." in shown.err
    assert first["id"] in sluice.run("policy", "rehearse", policy, "-w", "rehearsed", "--all").out
    assert sluice.run("policy", "rehearse", policy, "-w", "rehearsed", "--level", "advisory").code == 0

    tried = sluice.ask("policy", "try", policy, "--run", second["id"], code=3)
    assert (tried["outcome"], tried["findings"][0]["message"]) == ("failed", "not two")
    assert sluice.ask("policy", "try", policy / "policy.rego", "--run", first["id"])["outcome"] == "passed"
    document = sluice.ask("policy", "input", second["id"])
    assert document["run"]["id"] == second["id"]
    file = tmp_path / "input.json"
    file.write_text(json.dumps(document))
    said = sluice.run("policy", "try", policy, "--input", file)
    assert (said.code, "not two" in said.out, "is denied" in said.err) == (3, True, True)
    assert sluice.ask("runs", "--workspace", "rehearsed")["items"][0]["verdict"] == "passed"


def test_set_of_the_server_is_rehearsed_by_its_address(sluice: RunningSluice, tmp_path: Path) -> None:
    done = sluice.ask("policy", "rehearse", "policies/no_local_exec", "--tag", "nobody-has-this")
    assert (done["total"], done["policy_set_uri"], done["results"]) == (0, "policies/no_local_exec", [])


def test_set_of_the_server_is_tried_by_its_address(sluice: RunningSluice, directory: Path, tmp_path: Path) -> None:
    run = sluice.ask("plan", directory, "--workspace", "tried", "--create", "--wait", code=2)
    assert sluice.ask("policy", "try", "policies/no_local_exec", "--run", run["id"])["outcome"] == "passed"
    program = {"address": "data.external.x", "mode": "data", "type": "external", "name": "x"}
    document = {"plan": {"configuration": {"root_module": {"resources": [program]}}}}
    (tmp_path / "input.json").write_text(json.dumps(document))
    said = sluice.run("policy", "try", "policies/no_local_exec", "--input", tmp_path / "input.json")
    assert (said.code, "The plan is denied" in said.err) == (3, True)


@pytest.mark.parametrize("command", ["rehearse", "try", "attach"])
def test_set_that_the_server_has_not_is_said_with_what_to_do(
    sluice: RunningSluice, tmp_path: Path, command: str
) -> None:
    (tmp_path / "input.json").write_text("{}")
    more = ("--input", tmp_path / "input.json") if command == "try" else ()
    said = sluice.run("policy", command, "policies/nowhere", *more)
    assert (said.code, "sluice policy sets" in said.err) == (1, True)
    asked = sluice.ask("policy", command, "policies/nowhere", *more, code=1)
    assert asked["code"] == "policy_set_not_found"


def test_draft_that_is_wrong_is_told_by_file_and_line(sluice: RunningSluice, policy: Path) -> None:
    (policy / "policy.rego").write_text("package draft\n\ndeny contains x if x := nope(1)\n")
    refused = sluice.run("policy", "rehearse", policy)
    assert refused.code == 1
    assert "policy.rego:3: there is no function nope" in refused.err
    (policy / "input.json").write_text("{}")
    tried = sluice.run("policy", "try", policy, "--input", policy / "input.json")
    assert (tried.code, "policy.rego:3: there is no function nope" in tried.err) == (3, True)


def test_what_is_missing_is_said_before_anything_is_sent(sluice: RunningSluice, tmp_path: Path) -> None:
    assert sluice.ask("policy", "rehearse", tmp_path, code=1)["code"] == "policy_missing"
    assert sluice.ask("policy", "try", tmp_path / "nothing", "--run", "run-1", code=1)["code"] == "policy_missing"
    (tmp_path / "a.rego").write_text(POLICY)
    assert sluice.ask("policy", "try", tmp_path / "a.rego", code=1)["code"] == "usage"
