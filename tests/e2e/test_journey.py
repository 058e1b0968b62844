"""The whole journey over HTTP, with a real worker and each engine that is found.

Beside it what one engine shows, since the engines' part is covered with each of them elsewhere: override files in
tests/state/test_backend_engines.py, sensitive values in test_secrets_at_rest.py, policies in
tests/runner/test_runner_supervisor_real.py. Files that a plan leaves beside it, and an apply by another worker on
another disk, are in apart/test_separate_disks.py.
"""

import io
import json
import tarfile
from pathlib import Path

import pytest

from app.executor.discovery import Tool
from tests.e2e.site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.xdist_group("e2e"), pytest.mark.timeout(240)]

SECRET = "s3cret-Tr0ub4dor-value"


def things(count: int = 2, value: str = "one") -> dict[str, str]:
    return {
        "main.tf": f'resource "terraform_data" "thing" {{\n  count = {count}\n  input = "{value}"\n}}\n'
        'output "inputs" {\n  value = terraform_data.thing[*].output\n}\n'
    }


def test_journey_upload_plan_approve_apply_replan_destroy(site: Site, engine_tool: Tool) -> None:
    workspace = site.workspace(engine_tool.kind)
    run_id = site.planned(workspace, things())

    run = site.run(run_id)
    assert run["summary"]["add"] == 2
    assert run["verdict"] == "passed"
    assert run["engine"]["kind"] == engine_tool.kind
    assert run["requested_by"]["kind"] == "service_account"
    assert run["fingerprint"]["is_current"]
    assert {phase["phase"] for phase in run["timings"]["phases"]} == {"preparing", "initializing", "planning"}
    view = site.get(f"/terraform/runs/{run_id}/plan")
    assert [resource["action"] for resource in view["resources"]] == ["create", "create"]
    assert site.versions(workspace) == []
    assert site.post(f"/terraform/runs/{run_id}/apply", code=409)["code"] == "approval_required"
    refused = site.planner.post(f"/terraform/runs/{run_id}/approve", json={})
    assert refused.status_code == 403, "a service account never approves"

    apply = site.approve(run_id)
    assert site.post(f"/terraform/runs/{run_id}/apply")["id"] == apply
    site.until(run_id, "applied")
    child = site.quiet(apply)
    assert child["status"] == "applied"
    assert child["proof_of_death"]["kind"] in {"wait_status", "empty_pid_namespace"}
    assert site.outputs(workspace) == {"inputs": ["one", "one"]}
    [version] = site.versions(workspace)
    assert (version["number"], version["resource_count"]) == (1, 2)
    assert site.run(run_id)["state_version"]["number"] == 1

    again = site.request(workspace, things())
    assert site.until(again, "no_changes")["has_changes"] is False
    site.quiet(again)
    assert site.post(f"/terraform/runs/{again}/approve", code=409)["code"] == "nothing_to_apply"

    refresh = site.request(workspace, kind="refresh")
    site.until(refresh, "no_changes")

    destroyed = site.applied(workspace, kind="destroy")
    assert site.run(destroyed)["summary"]["destroy"] == 2
    assert site.outputs(workspace) == {}
    assert site.versions(workspace)[0]["resource_count"] == 0
    assert "2 destroyed" in site.log(str(site.run(destroyed)["child_run_id"]))


def test_journey_policy_that_fails_blocks(site: Site) -> None:
    workspace = site.workspace()
    body = {"policy_set_uri": "policies/no_local_exec", "enforcement_level": "hard-mandatory", "workspace": workspace}
    site.post("/terraform/policy-attachments", body)
    local_exec = 'resource "terraform_data" "a" {\n  provisioner "local-exec" {\n    command = "true"\n  }\n}\n'
    run_id = site.request(workspace, {"main.tf": local_exec})
    run = site.until(run_id, "policy_blocked")
    assert "checking_policies" in {phase["phase"] for phase in run["timings"]["phases"]}
    assert run["verdict"] == "blocked_hard"
    [check] = run["policy_checks"]
    assert check["outcome"] == "failed"
    assert "terraform_data.a" in json.dumps(check["findings"])
    assert site.post(f"/terraform/runs/{run_id}/approve", code=409)["code"] == "policy_blocked"
    assert site.post(f"/terraform/runs/{run_id}/apply", code=409)["code"] == "policy_blocked"
    site.post(f"/terraform/runs/{run_id}/discard", {"reason": "blocked"})
    assert site.until(site.request(workspace, things()), "awaiting_approval")["verdict"] == "passed"


def test_journey_speculative_plan_takes_no_lock_and_is_never_applied(site: Site) -> None:
    workspace = site.workspace()
    waiting = site.planned(workspace, things())
    run_id = site.request(workspace, things(3), speculative=True)
    run = site.until(run_id, "planned")
    assert run["summary"]["add"] == 3
    assert site.post(f"/terraform/runs/{run_id}/approve", code=409)["code"] == "speculative_plan"
    assert site.post(f"/terraform/runs/{run_id}/apply", code=409)["code"] == "speculative_plan"
    assert site.run(waiting)["status"] == "awaiting_approval"


def test_journey_idempotency_key_gives_the_first_answer_again(site: Site) -> None:
    workspace = site.workspace()
    body = {"workspace": workspace, "kind": "plan", "configuration_id": site.upload(things())}
    answers = [
        site.planner.post("/terraform/runs", json=sent, headers={"Idempotency-Key": f"key-{workspace}"})
        for sent in (body, body, {**body, "message": "another"})
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert answers[0].json() == answers[1].json()
    assert answers[2].json()["code"] == "idempotency_key_reused"
    assert len(site.get(f"/terraform/runs?workspace={workspace}")["items"]) == 1


def test_journey_sensitive_variable_is_nowhere_to_be_read(site: Site) -> None:
    workspace = site.workspace()
    put = site.admin.put(
        f"/terraform/workspaces/{workspace}/variables/terraform/password",
        json={"value": SECRET, "is_sensitive": True},
    )
    assert put.status_code == 200
    # The configuration does all it can to give the value away: the engine itself does not know that it is secret.
    leaks = (
        'variable "password" { type = string }\n'
        'resource "terraform_data" "leak" {\n  input = "x-${var.password}-x"\n'
        '  provisioner "local-exec" {\n    command = "echo ${var.password}"\n  }\n}\n'
        'output "leak" {\n  value = "y-${var.password}"\n  sensitive = true\n}\n'
    )
    run_id = site.applied(workspace, {"main.tf": leaks})
    apply = site.run(run_id)["child_run_id"]
    assert "local-exec" in site.log(apply)
    version = site.versions(workspace)[0]["id"]
    for path in (
        f"/terraform/runs/{run_id}",
        f"/terraform/runs/{apply}",
        f"/terraform/runs/{run_id}/plan",
        f"/terraform/runs/{run_id}/progress?limit=5000",
        f"/terraform/runs/{apply}/progress?limit=5000",
        f"/terraform/workspaces/{workspace}/variables",
        f"/terraform/workspaces/{workspace}/outputs",
        f"/terraform/state-versions/{version}",
        f"/terraform/state-versions/{version}/outputs",
        "/audit?limit=200",
    ):
        answer = site.admin.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        assert SECRET not in answer.text, f"{path} gives the secret away"
    assert SECRET in site.admin.get(f"/terraform/state-versions/{version}/download").text, "the state itself is whole"


def stored(site: Site, kind: str, run_id: str) -> Path:
    [found] = [path for path in (site.sluice.home / "artifacts").rglob(f"*/{kind}/{run_id}/*") if path.is_file()]
    return found


def test_journey_plan_file_with_one_byte_changed_is_refused_and_the_run_says_why(site: Site) -> None:
    workspace = site.workspace()
    run_id = site.planned(workspace, things())
    file = stored(site, "plan_file", run_id)
    whole = file.read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    apply = site.approve(run_id)
    child = site.quiet(apply)
    # Other tests look at everything that this installation has stored.
    file.write_bytes(whole)
    assert child["status"] in {"errored", "superseded"}
    assert site.run(run_id)["status"] == child["status"]
    assert "plan" in (child["status_reason"] or "").lower()
    assert any(word in child["status_reason"].lower() for word in ("digest", "changed", "altered"))
    assert "applying" not in {phase["phase"] for phase in child["timings"]["phases"]}
    assert site.versions(workspace) == []
    assert site.get(f"/terraform/workspaces/{workspace}")["id"] == site.run(run_id)["workspace"]["id"]
    site.applied(workspace, things())


def test_journey_configuration_that_records_its_directory_applies_by_another_worker(
    site: Site, engine_tool: Tool
) -> None:
    workspace = site.workspace(engine_tool.kind)
    records = (
        'resource "terraform_data" "here" {\n  input = "${abspath(path.module)} ${path.cwd} ${path.root}"\n}\n'
        'output "here" {\n  value = terraform_data.here.output\n}\n'
    )
    run_id = site.planned(workspace, {"main.tf": records})
    first = site.quiet(run_id)["claimed_by"]["pid"]
    assert site.kill_worker() == first
    apply = site.approve(run_id)
    site.until(run_id, "applied")
    assert site.quiet(apply)["claimed_by"]["pid"] != first
    again = site.request(workspace, {"main.tf": records})
    site.until(again, "no_changes")


def test_journey_override_file_never_changes_the_backend(site: Site) -> None:
    workspace = site.workspace()
    override = 'terraform {\n  backend "inmem" {}\n}\n'
    beaten = site.request(workspace, {**things(), "zzz_override.tf": override})
    site.until(beaten, "awaiting_approval")
    assert 'backend "http"' in site.log(beaten)
    last = site.request(workspace, {**things(), "zzzzz_override.tf": override})
    run = site.until(last, "errored")
    assert "backend" in run["status_reason"]
    assert site.quiet(last)["failure"]["phase"] == "initializing"


def test_journey_link_in_an_upload_that_leads_out_is_refused(site: Site) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("secret.tf")
        member.type, member.linkname = tarfile.SYMTYPE, f"{site.sluice.home}/master.key"
        archive.addfile(member)
    answered = site.planner.post(
        "/terraform/configurations", content=buffer.getvalue(), headers={"Content-Type": "application/gzip"}
    )
    assert answered.status_code == 422, answered.text
    assert "secret.tf" in answered.text
