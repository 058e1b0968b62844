"""The supervisor with the real engines: plan and apply through the whole pipeline, in and out of the sandbox."""

import json
import os
import re
from pathlib import Path

import pytest

from app.core.settings import Settings, get_settings
from app.executor.discovery import Tool
from app.runner.port import JobVariable
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort, apply_job, engine_request, plan_job

pytestmark = [pytest.mark.engine, pytest.mark.processes]

MAIN = """
variable "size" {
  type    = number
  default = 1
}
variable "password" {
  type      = string
  sensitive = true
}
variable "tags" {
  type    = map(string)
  default = {}
}
resource "terraform_data" "a" {
  count = var.size
  input = "${var.password} in ${path.cwd} as ${abspath(path.module)}"
}
output "tags" { value = var.tags }
output "password" {
  value     = var.password
  sensitive = true
}
"""


@pytest.fixture(params=["auto", "off"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return get_settings().model_copy(update={"sandbox": request.param, "work_dir": tmp_path / "runs"})


def run(job, port, settings) -> str:  # type: ignore[no-untyped-def]
    return Supervisor(job, port, settings).run()


def test_supervisor_plan_then_apply_leaves_state_proof_and_no_directory(engine_tool: Tool, settings: Settings) -> None:
    port = MemoryPort()
    variables = (
        JobVariable(key="size", value="3", kind="terraform"),
        JobVariable(key="password", value='hunter2 "quoted" <&>', kind="terraform", sensitive=True),
        JobVariable(key="tags", value='{ team = "ops" }', kind="terraform", hcl=True),
        JobVariable(key="SOME_SETTING", value="x", kind="env"),
    )
    # The configuration's own file must not win over the workspace's variables.
    files = {"main.tf": MAIN, "terraform.tfvars": "size = 7\n", "my.auto.tfvars": "size = 8\n"}
    job = plan_job(port, files, engine=engine_request(engine_tool.kind), variables=variables)

    assert run(job, port, settings) == "awaiting_approval", (port.failure, port.text)

    assert port.plan is not None
    assert port.plan.has_changes
    assert port.plan.counts.add == 3
    assert port.plan.engine.kind == engine_tool.kind
    assert port.plan.state_serial == 0
    assert [timing.phase for timing in port.plan.timings] == [
        "preparing",
        "initializing",
        "planning",
        "checking_policies",
    ]
    assert port.proof is not None
    assert port.proof.kind == ("empty_pid_namespace" if settings.sandbox == "auto" else "wait_status")
    assert [path for path in (settings.work_dir or Path()).iterdir() if not path.name.startswith(".")] == []
    view = port.artifacts[port.kinds["plan_view"].key].decode()
    assert "hunter2" not in port.text
    assert "hunter2" not in view
    assert [output["name"] for output in json.loads(view)["outputs"]] == ["password", "tags"]
    assert "hunter2" in port.artifacts[port.kinds["plan_json"].key].decode()

    assert run(apply_job(port, job), port, settings) == "applied", (port.failure, port.text)

    [(kind, state)] = port.states
    document = json.loads(state)
    assert kind == "applied"
    assert document["outputs"]["tags"]["value"] == {"team": "ops"}
    values = [found["attributes"]["input"]["value"] for found in document["resources"][0]["instances"]]
    assert len(values) == 3
    assert port.plan.working_directory in values[0]
    assert port.applied is not None
    assert port.applied.resources_applied == 3
    assert port.applied.state_version_id == "sv-1"
    assert "hunter2" not in port.text
    assert [path for path in (settings.work_dir or Path()).iterdir() if not path.name.startswith(".")] == []

    again = job.model_copy(update={"run_id": "run-again", "state": port.store("state", state)})
    # Without a sandbox the path, which this configuration uses, is the planned run's own.
    expected = "no_changes" if settings.sandbox == "auto" else "awaiting_approval"
    assert run(again, port, settings) == expected, (port.failure, port.text)
    assert port.plan.state_lineage == document["lineage"]

    destroy = again.model_copy(update={"run_id": "run-destroy", "kind": "destroy"})
    assert run(destroy, port, settings) == "awaiting_approval"
    assert port.plan.counts.destroy == 3
    assert run(apply_job(port, destroy), port, settings) == "applied", (port.failure, port.text)
    assert json.loads(port.states[-1][1])["resources"] == []


def test_supervisor_syntax_error_fails_with_file_and_line(engine_tool: Tool, settings: Settings) -> None:
    port = MemoryPort()
    job = plan_job(
        port,
        {"main.tf": 'resource "terraform_data" "a" {\n  input = nosuch.thing\n}\n'},
        engine=engine_request(engine_tool.kind),
    )
    assert run(job, port, settings) == "errored"
    assert port.failure is not None
    assert port.failure.code == "engine_failed"
    assert port.failure.phase == "planning"
    assert "main.tf line 2" in port.failure.message
    assert port.failure.diagnostics[0]["line"] == 2


@pytest.mark.parametrize(
    "files",
    [
        {"zzzzzz_override.tf": 'terraform {\n  backend "local" {\n    path = "elsewhere.tfstate"\n  }\n}\n'},
        {"zzzzzz_override.tf": 'terraform {\n  backend "inmem" {}\n}\n'},
    ],
    ids=["path", "inmem"],
)
def test_supervisor_user_override_of_backend_is_refused(
    engine_tool: Tool, settings: Settings, files: dict[str, str]
) -> None:
    port = MemoryPort()
    job = plan_job(port, {"main.tf": 'output "x" { value = 1 }\n', **files}, engine=engine_request(engine_tool.kind))
    assert run(job, port, settings) == "errored"
    assert port.failure is not None
    assert port.failure.code == "backend_refused", port.failure
    assert "plan" not in port.kinds


def test_supervisor_module_in_subdirectory_is_planned_there(engine_tool: Tool, settings: Settings) -> None:
    port = MemoryPort()
    files = {
        "live/prod/main.tf": 'module "m" {\n  source = "../../shared"\n}\n',
        "shared/main.tf": 'resource "terraform_data" "s" {}\n',
    }
    job = plan_job(port, files, module_path="live/prod", engine=engine_request(engine_tool.kind))
    assert run(job, port, settings) == "awaiting_approval", (port.failure, port.text)
    assert port.plan is not None
    assert port.plan.working_directory.endswith("/live/prod")
    assert run(apply_job(port, job), port, settings) == "applied", (port.failure, port.text)


PEEK = """
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "id -u; cat /proc/1/environ"
  }
}
"""


def test_supervisor_sandboxed_engine_is_not_root(engine_tool: Tool, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only a root worker drops to another uid")
    settings = get_settings().model_copy(update={"sandbox": "required", "work_dir": tmp_path / "runs"})
    port = MemoryPort()
    job = plan_job(port, {"main.tf": PEEK}, engine=engine_request(engine_tool.kind))
    assert run(job, port, settings) == "awaiting_approval", (port.failure, port.text)
    assert run(apply_job(port, job), port, settings) == "errored"
    found = re.search(r"(612\d\d|613\d\d|614[0-8]\d)", port.text)
    assert found, port.text
    assert "Permission denied" in port.text
