"""The command line against a running Sluice: what people and scripts do, with exit codes and documents."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import write
from tests.support.guards import spawning
from tests.support.server import SLUICE, RunningSluice, clean_environment

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("cli"),
]
RUN_FIELDS = {"id", "status", "url", "summary", "timings"}
COUNTS = {"add", "change", "destroy", "replace"}


def test_plan_approve_apply_and_destroy_with_documents_and_exit_codes(sluice: RunningSluice, directory: Path) -> None:
    unknown = sluice.ask("plan", directory, "--workspace", "net", code=1)
    assert unknown["code"] == "workspace_not_found"
    assert "--create" in unknown["remedy"]

    plan = sluice.ask("plan", directory, "--workspace", "net", "--create", "--wait", "--message", "first", code=2)
    assert plan.keys() >= RUN_FIELDS
    assert plan["status"] == "awaiting_approval"
    assert {name: plan["summary"][name] for name in COUNTS} == {"add": 3, "change": 0, "destroy": 0, "replace": 0}
    assert plan["stack"]["name"] == "net"
    assert plan["timings"]["total_seconds"] > 0

    too_early = sluice.ask("apply", plan["id"], code=1)
    assert too_early["code"] == "approval_required"
    assert f"sluice approve {plan['id']}" in too_early["remedy"]

    approved = sluice.ask("approve", plan["id"], "--comment", "looked at it")
    assert approved["status"] == "approved"
    applied = sluice.ask("apply", plan["id"], "--wait")
    assert applied["status"] == "applied"
    assert applied["parent_run_id"] == plan["id"]
    assert applied["state_version"]["number"] == 1
    assert sluice.ask("apply", plan["id"])["id"] == applied["id"]
    assert sluice.ask("apply", applied["id"])["id"] == applied["id"]

    log = sluice.ask("logs", plan["id"])
    assert [record["offset"] for record in log["records"]] == list(range(len(log["records"])))
    assert "apply_complete" in {record["data"].get("type") for record in log["apply"]["records"]}
    part = sluice.ask("logs", plan["id"], "--after", "5")
    assert part["records"] == log["records"][5:]

    outputs = sluice.ask("state", "outputs", "--workspace", "net")
    assert [(item["name"], item["value"]) for item in outputs["items"]] == [("first", "one")]
    assert outputs["outputs"]["first"]["value"] == "one"
    assert sluice.run("state", "outputs", "-w", "net", "--name", "first").out == "one\n"
    assert sluice.ask("state", "list", "-w", "net")["items"][0]["number"] == 1
    assert len(sluice.ask("state", "show", "-w", "net")["resources"]) == 3
    assert sluice.ask("state", "download", "-w", "net")["version"] == 4

    again = sluice.ask("plan", directory, "--workspace", "net", "--wait")
    assert (again["status"], again["has_changes"]) == ("no_changes", False)
    head = sluice.ask("plan", "--workspace", "net", "--wait")
    assert head["status"] == "no_changes"

    write(directory, count=2, value="two")
    changed = sluice.run("plan", directory, "--workspace", "net", "--wait")
    minus = "\N{MINUS SIGN}"
    assert changed.code == 2
    assert f"{minus}/+2 to replace  {minus}1 to destroy" in changed.out
    assert "Applying this destroys, with what it holds: terraform_data.thing[" in changed.out
    assert "Plan: 2 to add, 0 to change, 3 to destroy." in changed.err
    assert "\x1b" not in changed.out + changed.err

    gone = sluice.ask("destroy", "--workspace", "net", "--wait", code=2)
    assert gone["summary"]["destroy"] == 3
    assert sluice.ask("approve", gone["id"], "--wait")["status"] == "applied"
    assert sluice.ask("workspace", "delete", "net")["deleted"]["name"] == "net"


def test_plan_speculative_says_what_would_be_and_can_not_be_applied(sluice: RunningSluice, directory: Path) -> None:
    plan = sluice.ask("plan", directory, "-w", "spec", "--create", "--speculative", "--wait", "--source", "ci", code=2)
    assert (plan["status"], plan["is_speculative"], plan["source"]) == ("planned", True, "ci")
    assert sluice.ask("apply", plan["id"], code=1)["status"] == 409
    assert sluice.ask("approve", plan["id"], code=1)["status"] == 409


@pytest.mark.parametrize("speculative", [[], ["--speculative"]])
def test_plan_that_a_policy_blocks_exits_3(sluice: RunningSluice, directory: Path, speculative: list[str]) -> None:
    name = f"blocked{len(speculative)}"
    (directory / "exec.tf").write_text(
        'resource "terraform_data" "x" {\n  provisioner "local-exec" { command = "true" }\n}\n'
    )
    sluice.ask("plan", directory, "-w", name, "--create", "--speculative", "--wait", code=2)
    attached = sluice.ask("policy", "attach", "policies/no_local_exec", "--workspace", name)
    blocked = sluice.run("plan", directory, "-w", name, "--wait", *speculative)
    assert blocked.code == 3
    assert "hard-mandatory policies/no_local_exec: failed" in blocked.out
    assert "terraform_data.x" in blocked.out
    assert sluice.ask("plan", directory, "-w", name, "--wait", *speculative, code=3)["verdict"] == "blocked_hard"
    assert [item["id"] for item in sluice.ask("policy", "list", "-w", name)["items"]] == [attached["id"]]
    sluice.ask("policy", "detach", attached["id"])


def test_plan_that_fails_exits_1_with_the_diagnostic(sluice: RunningSluice, directory: Path) -> None:
    (directory / "bad.tf").write_text('resource "terraform_data" "x" { input = nope }\n')
    failed = sluice.run("plan", directory, "-w", "bad", "--create", "--wait")
    assert failed.code == 1
    assert "Invalid reference (bad.tf:1)" in failed.out
    document = sluice.ask("plan", directory, "-w", "bad", "--wait", code=1)
    assert (document["status"], document["failure"]["phase"]) == ("errored", "planning")
    assert document["summary"] == dict.fromkeys(["add", "change", "destroy", "replace"])


def test_plan_same_key_gives_the_same_run_and_another_body_is_refused(sluice: RunningSluice, directory: Path) -> None:
    wanted = ("plan", directory, "-w", "keyed", "--create", "--idempotency-key", "commit-1")
    first = sluice.ask(*wanted)
    assert sluice.ask(*wanted, "--wait", code=2)["id"] == first["id"]
    assert [item["id"] for item in sluice.ask("runs", "-w", "keyed")["items"]] == [first["id"]]
    write(directory, count=1)
    assert sluice.ask(*wanted, code=1)["code"] == "idempotency_key_reused"


def test_plan_what_is_wrong_with_the_directory_is_said_before_anything_is_made(
    sluice: RunningSluice, directory: Path, tmp_path: Path
) -> None:
    (directory / "secrets.tf").symlink_to("/etc/hostname")
    refused = sluice.run("plan", directory, "-w", "never", "--create")
    assert refused.code == 1
    assert "secrets.tf is a link that leaves the directory (to /etc/hostname)" in refused.err
    empty = tmp_path / "empty"
    (empty / "root").mkdir(parents=True)
    assert "holds no .tf" in sluice.run("plan", empty, "-w", "never", "--create").err
    write(empty / "root")
    outside = sluice.ask("plan", empty, "-w", "never", "--create", code=1)
    assert "--module-path" in outside["detail"]
    assert sluice.ask("workspace", "show", "never", code=1)["code"] == "workspace_not_found"


def test_plan_root_module_below_the_directory_calls_what_lies_beside_it(
    sluice: RunningSluice, directory: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    (repository / "envs" / "prod").mkdir(parents=True)
    directory.rename(repository / "thing")
    (repository / "envs" / "prod" / "main.tf").write_text('module "thing" { source = "../../thing" }\n')
    wanted = ("plan", repository, "-w", "mono", "--create", "--module-path", "envs/prod", "--wait")
    assert sluice.ask(*wanted, code=2)["summary"]["add"] == 3


def test_upload_too_large_says_what_to_do(sluice: RunningSluice, directory: Path) -> None:
    (directory / "big.bin").write_bytes(os.urandom(65 * 1024 * 1024))
    refused = sluice.run("plan", directory, "-w", "big", "--create")
    assert refused.code == 1
    assert ".terraformignore" in refused.err
    (directory / ".terraformignore").write_text("*.bin\n")
    assert sluice.run("plan", directory, "-w", "big", "--create", "--wait", "-q").code == 2


def test_wait_interrupted_leaves_the_run_going(sluice: RunningSluice, directory: Path) -> None:
    (directory / "slow.tf").write_text(
        'resource "terraform_data" "slow" {\n  provisioner "local-exec" { command = "sleep 300" }\n}\n'
    )
    plan = sluice.ask("plan", directory, "-w", "slow", "--create", "--wait", code=2)
    environment = clean_environment() | {"SLUICE_URL": sluice.url, "SLUICE_TOKEN": sluice.token}
    with spawning("a command that is interrupted"):
        waiting = subprocess.Popen(
            [SLUICE, "approve", plan["id"], "--yes", "--wait"], env=environment, stderr=subprocess.PIPE, text=True
        )
    assert waiting.stderr is not None
    for line in waiting.stderr:
        if "Creating..." in line:
            break
    waiting.send_signal(signal.SIGINT)
    said = waiting.stderr.read()
    assert waiting.wait(60) == 130
    waiting.stderr.close()
    apply_id = sluice.ask("run", "show", plan["id"])["child_run_id"]
    assert f"sluice cancel {apply_id}" in said
    assert sluice.ask("run", "show", apply_id)["status"] == "running"
    sluice.ask("cancel", plan["id"], "--reason", "test")
    assert sluice.run("logs", "-f", plan["id"]).code == 0
    assert sluice.ask("run", "show", plan["id"])["status"] == "cancelled"
    assert sluice.ask("apply", plan["id"], code=1)["status"] == "cancelled"


def test_decisions_and_their_refusals(sluice: RunningSluice, directory: Path) -> None:
    plan = sluice.ask("plan", directory, "-w", "decide", "--create", "--wait", code=2)
    assert sluice.ask("approve", plan["id"], "--fingerprint", "0" * 64, code=1)["code"] == "fingerprint_mismatch"
    assert sluice.ask("reject", plan["id"], "--comment", "no")["approvals_detail"]["you"]["decision"] == "reject"
    assert sluice.ask("revoke", plan["id"])["approvals_detail"]["you"]["decision"] is None
    sluice.ask("workspace", "set", "decide", "--requester-may-not-approve", "--required-approvals", "2")
    refused = sluice.ask("approve", plan["id"], code=1)
    assert refused["code"] == "self_approval_forbidden"
    assert sluice.ask("discard", plan["id"], "--reason", "done")["status"] == "discarded"
    assert sluice.ask("discard", plan["id"], code=1)["status"] == 409
    assert "discarded" in sluice.run("runs", "-w", "decide").out


def test_ci_token_plans_and_can_do_no_more(sluice: RunningSluice, directory: Path) -> None:
    sluice.ask("plan", directory, "-w", "ci", "--create", "--speculative", "--wait", code=2)
    token = sluice.service_account("ci", "planner")
    plan = sluice.ask("plan", directory, "-w", "ci", "--wait", token=token, code=2)
    assert plan["requested_by"]["kind"] == "service_account"
    assert sluice.ask("approve", plan["id"], token=token, code=1)["status"] == 403
    assert sluice.ask("var", "set", "-w", "ci", "a=1", token=token, code=1)["code"] == "forbidden"
    assert sluice.ask("whoami", token=token)["name"] == "ci"
    assert sluice.ask("approve", plan["id"], "--wait")["status"] == "applied"


def test_variables_are_set_from_anywhere_and_secrets_never_shown(sluice: RunningSluice, directory: Path) -> None:
    sluice.ask("plan", directory, "-w", "vars", "--create")
    (directory / "key.pem").write_text("line 1\nline 2\n")
    sluice.ask("var", "set", "-w", "vars", "region=eu", "equation=a=b")
    sluice.ask("var", "set", "-w", "vars", "--env", "MODE=fast")
    sluice.ask("var", "set", "-w", "vars", "--hcl", 'zones=["a", "b"]')
    sluice.ask("var", "set", "-w", "vars", "password", "--sensitive", "--value-stdin", stdin="hunter2-hunter2\n")
    sluice.ask("var", "set", "-w", "vars", "key", "--from-file", directory / "key.pem", "--sensitive")
    kept = sluice.ask("var", "set", "-w", "vars", "password=another-hunter2")["items"][0]
    assert (kept["is_sensitive"], kept["value"]) == (True, None)
    found = {item["key"]: item for item in sluice.ask("var", "list", "-w", "vars")["items"]}
    assert found["region"]["value"] == "eu"
    assert found["equation"]["value"] == "a=b"
    assert (found["MODE"]["kind"], found["zones"]["is_hcl"]) == ("env", True)
    assert found["password"]["value"] is None
    shown = sluice.run("var", "list", "-w", "vars")
    assert "(sensitive)" in shown.out
    assert "hunter2" not in shown.out
    warned = sluice.run("var", "set", "-w", "vars", "--sensitive", "other=secret")
    assert "--value-stdin" in warned.err
    sluice.ask("var", "delete", "-w", "vars", "region", "equation")
    assert sluice.ask("var", "delete", "-w", "vars", "region", code=1)["code"] == "variable_not_found"


def test_stacks_are_pushed_listed_and_compared(sluice: RunningSluice, tmp_path: Path) -> None:
    spec = tmp_path / "stack.yaml"
    spec.write_text("name: pushed\nmodule_source: modules/naming\ninputs: {}\n")
    first = sluice.ask("stack", "push", spec, "--message", "one")
    assert (first["created"], first["version"]["number"]) == (True, 1)
    assert sluice.ask("stack", "push", spec)["created"] is False
    spec.write_text(json.dumps({"name": "pushed", "module_source": "modules/naming", "description": "second"}))
    assert sluice.ask("stack", "push", spec)["version"]["number"] == 2
    assert [item["number"] for item in sluice.ask("stack", "versions", "pushed")["items"]] == [2, 1]
    assert sluice.ask("stack", "diff", "pushed", "1", "2")["changes"][0]["path"] == "/description"
    assert sluice.ask("stack", "show", "pushed")["spec"]["description"] == "second"
    assert "pushed" in {item["name"] for item in sluice.ask("stack", "list")["items"]}
    spec.write_text("name: pushed\nmodule_sauce: modules/naming\n")
    refused = sluice.run("stack", "push", spec)
    assert refused.code == 1
    assert "module_source" in refused.err
    spec.write_text("a: [")
    assert sluice.ask("stack", "push", spec, code=1)["code"] == "spec_unreadable"


def test_workspaces_are_made_changed_and_listed(sluice: RunningSluice) -> None:
    sluice.ask("stack", "create", "rules")
    team = sluice.ask("team", "create", "platform")
    sluice.ask("user", "create", "ada@example.org", "--role", "approver", "--team", "platform")
    assert [m["name"] for m in sluice.ask("team", "list")["items"][0]["members"]] == ["ada"]
    made = sluice.ask(
        "workspace", "create", "rules", "--stack", "rules", "--approver-team", "platform", "--plan-max-age", "3600"
    )
    assert (made["approver_teams"][0]["id"], made["plan_max_age_seconds"]) == (team["id"], 3600)
    changed = sluice.ask("workspace", "set", "rules", "--any-approver", "--plan-max-age", "0", "--tag", "env:prod")
    assert (changed["approver_teams"], changed["plan_max_age_seconds"], changed["tags"]) == ([], None, ["env:prod"])
    assert [item["name"] for item in sluice.ask("workspace", "list", "--tag", "env:prod")["items"]] == ["rules"]
    more = ("--more-approvals", "deletes=2", "--more-approvals", "tag:env=prod=1@platform", "--plan-max-age", "2d")
    ruled = sluice.ask("workspace", "set", "rules", "--approval-validity", "8h", *more)
    assert (ruled["approval_validity_seconds"], ruled["plan_max_age_seconds"]) == (8 * 3600, 2 * 24 * 3600)
    assert [item["when"] for item in ruled["approval_conditions"]] == ["deletes", "tag"]
    assert ruled["approval_conditions"][1]["approver_teams"] == [{"id": team["id"], "name": "platform"}]
    shown = sluice.run("workspace", "show", "rules").out
    assert "deletes=2, tag:env=prod=1@platform" in shown
    assert "an approval counts     8h" in shown
    cleared = sluice.ask("workspace", "set", "rules", "--no-more-approvals", "--approval-validity", "0")
    assert (cleared["approval_conditions"], cleared["approval_validity_seconds"]) == ([], None)
    assert sluice.ask("workspace", "set", "rules", "--more-approvals", "sometimes=2", code=1)["code"] == "usage"
    assert sluice.ask("workspace", "set", "rules", "--approval-validity", "1s", code=1)["status"] == 422
    pinned = sluice.ask("workspace", "set", "rules", "--engine", "tofu", "--engine-version", "1.12.6")
    assert (pinned["engine_kind"], pinned["engine_version"]) == ("tofu", "1.12.6")
    assert sluice.ask("workspace", "set", "rules", "--engine-version", "newest", code=1)["status"] == 422
    freed = sluice.ask("workspace", "set", "rules", "--engine", "any", "--engine-version", "any")
    assert (freed["engine_kind"], freed["engine_version"]) == (None, None)
    assert sluice.ask("workspace", "set", "rules", "--approver-team", "nobody", code=1)["code"] == "team_not_found"
    assert sluice.ask("user", "set", "ada@example.org", "--disable")["is_disabled"] is True
    assert sluice.ask("user", "link", "ada@example.org", code=1)["status"] >= 400


def test_tokens_are_printed_once_and_revoked(sluice: RunningSluice) -> None:
    made = sluice.run("token", "create", "laptop", "--expires-in", "1h", "--permission", "runs:read")
    assert made.code == 0
    token = made.out.strip()
    assert token.startswith("slc_")
    assert sluice.run("runs", token=token).code == 0
    assert sluice.ask("plan", "-w", "x", token=token, code=1)["code"] == "token_too_narrow"
    found = next(item for item in sluice.ask("token", "list")["items"] if item["name"] == "laptop")
    sluice.ask("token", "revoke", found["id"])
    refused = sluice.run("runs", token=token)
    assert refused.code == 1
    assert "SLUICE_TOKEN" in refused.err
    assert sluice.ask("runs", token=token, code=1)["status"] == 401


def test_login_keeps_the_token_for_later_commands(sluice: RunningSluice, tmp_path: Path) -> None:
    environment = clean_environment() | {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}

    def run(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        with spawning("the command line under test"):
            return subprocess.run(
                [SLUICE, *arguments], env=environment, input=stdin, capture_output=True, text=True, check=False
            )

    refused = run("login", "--url", sluice.url, "--token-stdin", stdin="slc_wrong\n")
    assert refused.returncode == 1
    assert "does not know this token" in refused.stderr
    assert run("login", "--url", sluice.url, "--token-stdin", stdin=f"{sluice.token}\n").returncode == 0
    assert json.loads(run("whoami", "--json").stdout)["url"] == sluice.url
    assert json.loads(run("version", "--json").stdout)["server"]["engine"]["version"] in sluice.engine
    assert sluice.token not in run("whoami").stdout


def test_audit_names_what_was_done_and_is_intact(sluice: RunningSluice) -> None:
    sluice.ask("stack", "create", "audited")
    events = sluice.ask("audit", "list", "--action", "stack.*", "--limit", "5")["items"]
    assert 0 < len(events) <= 5
    assert sluice.ask("audit", "verify")["is_intact"] is True


def test_halt_stops_what_waits_and_resume_lets_it_start(sluice: RunningSluice, directory: Path) -> None:
    plan = sluice.ask("plan", directory, "-w", "halted", "--create", "--wait", code=2)
    raised = sluice.ask("halt", "--workspace", "halted", "--reason", "drill", "--wait")
    assert raised["scope"] == "workspace"
    assert [item["run_id"] for item in raised["runs"]["items"]] == [plan["id"]]
    assert sluice.ask("run", "show", plan["id"])["halted"] is True
    refused = sluice.ask("plan", directory, "-w", "halted", code=1)
    assert refused["code"] == "halted"
    assert f"`sluice resume --workspace {raised['scope_id']} --reason …`" in refused["remedy"]
    assert len(sluice.ask("halts")["active"]) == 1
    assert "HALTED: workspace halted by" in sluice.run("halts").out
    sluice.ask("resume", "--workspace", "halted", "--reason", "over")
    assert "No halt stands" in sluice.run("halts").err
    assert sluice.ask("plan", directory, "-w", "halted", "--wait", code=2)["status"] == "awaiting_approval"


def test_runs_of_an_experiment_name_it(sluice: RunningSluice, directory: Path) -> None:
    experiment = sluice.ask("experiment", "create", "sizes")["id"]
    test = sluice.ask("experiment", "test", experiment, "small")["id"]
    wanted = ("plan", directory, "-w", "experiment", "--create", "--experiment-id", experiment, "--test-id", test)
    planned = sluice.ask(*wanted, "--timeout", "0.001", "--wait", code=1)
    assert planned["code"] == "wait_timeout"
    run = sluice.ask("run", "show", planned["run"]["id"])
    assert (run["experiment_id"], run["test_id"]) == (experiment, test)
    assert [item["id"] for item in sluice.ask("experiment", "list")["items"]] == [experiment]
    assert [item["id"] for item in sluice.ask("experiment", "tests", experiment)["items"]] == [test]


def test_logs_follow_shows_the_apply_too(sluice: RunningSluice, directory: Path) -> None:
    plan = sluice.ask("plan", directory, "-w", "followed", "--create", "--wait", code=2)
    environment = clean_environment() | {"SLUICE_URL": sluice.url, "SLUICE_TOKEN": sluice.token}
    with spawning("a command that follows"):
        following = subprocess.Popen(
            [SLUICE, "logs", "-f", plan["id"]], env=environment, stdout=subprocess.PIPE, text=True
        )
    assert following.stdout is not None
    assert any("Plan: 3 to add" in line for line in following.stdout), "it follows"
    sluice.ask("approve", plan["id"])
    said, _ = following.communicate(timeout=60)
    assert following.returncode == 0
    assert "Apply complete! Resources: 3 added" in said
