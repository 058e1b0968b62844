"""The real AWS provider against an AWS API on loopback, by the command line.

A service account plans, as CI does; the admin, a person, approves. The provider is large, and each of its starts takes
seconds, so each engine plans and applies with it in one journey: the first that is found from a bucket's plan to its
destroy, the other, where there is one, from an apply whose engine is killed to the import of what it had made. What an
engine's own plan, apply, destroy and states are like is shown with each of them in test_journey.py and tests/state.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from app.core.settings import get_settings
from app.embedded.drain import supervisors
from app.executor import discovery
from tests.e2e.site import wait_until
from tests.support import aws
from tests.support.server import RunningSluice, running_sluice

pytestmark = [
    pytest.mark.aws,
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("aws"),
]

CHANGES, DONE, FAILED = 2, 0, 1


@dataclass(frozen=True)
class Scene:
    """A Sluice that knows the provider, an AWS API, and the token of a service account."""

    sluice: RunningSluice
    provider: aws.Provider
    api: str
    ci: str

    def workspace(self, name: str, engine: discovery.Tool) -> str:
        """Make a workspace for one engine, whose runs talk to the API; return its name."""
        name = f"{name}-{engine.kind}"
        self.sluice.ask("stack", "create", name)
        self.sluice.ask("workspace", "create", name, "--stack", name, "--engine", engine.kind)
        variables = aws.environment(self.api)
        secret = variables.pop("AWS_SECRET_ACCESS_KEY")
        self.sluice.ask("var", "set", "-w", name, "--env", *[f"{key}={value}" for key, value in variables.items()])
        self.sluice.ask(
            "var", "set", "-w", name, "--env", "--sensitive", "AWS_SECRET_ACCESS_KEY", "--value-stdin", stdin=secret
        )
        return name

    def has_bucket(self, name: str) -> bool:
        """Ask the API itself."""
        return httpx.head(f"{self.api}/{name}", timeout=10).status_code == 200

    def count_vpcs(self, cidr: str) -> int:
        """Ask the API itself how many VPCs have this range."""
        answer = httpx.get(f"{self.api}/moto-api/data.json", timeout=10).json()
        return sum(vpc["cidr_block"] == cidr for vpc in answer.get("ec2", {}).get("VPC", ()))


def found_engines() -> list[discovery.Tool]:
    found = discovery.find_engines(get_settings())
    if not found:
        pytest.fail("No engine was found: run `make tools`, or install OpenTofu or Terraform.")
    return found


@pytest.fixture
def first_engine() -> discovery.Tool:
    return found_engines()[0]


@pytest.fixture
def last_engine() -> discovery.Tool:
    """Another than the first, where there is another."""
    return found_engines()[-1]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> aws.Provider:
    try:
        return aws.lay_out_provider(tmp_path_factory.mktemp("provider"), found_engines()[0].path)
    except aws.ProviderMissing as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def scene(provider: aws.Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    log = tmp_path_factory.mktemp("api") / "aws.log"
    known = {"terraform_cli_config_file": str(provider.cli_config)}
    with aws.running_api(log) as api, running_sluice(**known) as sluice:
        yield Scene(sluice, provider, api, sluice.service_account("ci", "operator"))


def configuration(directory: Path, scene: Scene, body: str) -> Path:
    (directory / "main.tf").write_text(aws.required_provider(scene.provider.version) + body)
    return directory


def test_bucket_planned_approved_applied_replanned_destroyed(
    scene: Scene, first_engine: discovery.Tool, tmp_path: Path
) -> None:
    sluice, ci = scene.sluice, scene.ci
    workspace = scene.workspace("bucket", first_engine)
    bucket = f"sluice-logs-{first_engine.kind}"
    directory = configuration(tmp_path, scene, aws.BUCKET)
    sluice.ask("var", "set", "-w", workspace, f"bucket={bucket}")
    plan_directory = ("plan", directory, "--workspace", workspace, "--create", "--wait")

    plan = sluice.ask(*plan_directory, token=ci, code=CHANGES)
    assert plan["status"] == "awaiting_approval"
    assert plan["summary"]["add"] == 1
    assert plan["engine"]["kind"] == first_engine.kind
    assert plan["engine"]["version"] == first_engine.version
    assert sluice.ask("apply", plan["id"], "--wait", token=ci, code=FAILED)["code"] == "approval_required"
    assert sluice.ask("approve", plan["id"], token=ci, code=FAILED)["status"] == 403
    assert not scene.has_bucket(bucket)

    assert sluice.ask("approve", plan["id"])["status"] == "approved"
    applied = sluice.ask("apply", plan["id"], "--wait", token=ci)
    assert (applied["kind"], applied["status"], applied["parent_run_id"]) == ("apply", "applied", plan["id"])
    assert scene.has_bucket(bucket)
    outputs = sluice.ask("state", "outputs", "--workspace", workspace)
    assert bucket in str(outputs)

    again = sluice.ask(*plan_directory, token=ci, code=DONE)
    assert (again["status"], again["has_changes"]) == ("no_changes", False)

    destroy = sluice.ask("destroy", "--workspace", workspace, "--wait", token=ci, code=CHANGES)
    assert (destroy["kind"], destroy["status"], destroy["summary"]["destroy"]) == ("destroy", "awaiting_approval", 1)
    assert sluice.ask("apply", destroy["id"], token=ci, code=FAILED)["code"] == "approval_required"
    assert scene.has_bucket(bucket)
    assert sluice.ask("approve", destroy["id"], "--wait")["status"] == "applied"
    assert not scene.has_bucket(bucket)


def test_vpc_planned_approved_applied_replanned(scene: Scene, first_engine: discovery.Tool, tmp_path: Path) -> None:
    sluice, ci = scene.sluice, scene.ci
    workspace = scene.workspace("vpc", first_engine)
    directory = configuration(tmp_path, scene, aws.VPC)
    plan = sluice.ask("plan", directory, "--workspace", workspace, "--create", "--wait", token=ci, code=CHANGES)
    assert plan["summary"] | {"add": 0} == dict.fromkeys(plan["summary"], 0)
    assert plan["summary"]["add"] == aws.VPC_RESOURCES
    assert scene.count_vpcs(aws.VPC_CIDR) == 0
    assert sluice.ask("approve", plan["id"], "--wait")["status"] == "applied"
    assert scene.count_vpcs(aws.VPC_CIDR) == 1
    again = sluice.ask("plan", directory, "--workspace", workspace, "--wait", token=ci, code=DONE)
    assert again["status"] == "no_changes"


def test_what_a_killed_engine_made_is_imported_from_its_recovery_list(
    scene: Scene, last_engine: discovery.Tool, tmp_path: Path
) -> None:
    sluice, ci = scene.sluice, scene.ci
    workspace = scene.workspace("recovered", last_engine)
    sluice.ask("workspace", "set", workspace, "--state-backend", "managed")
    body = f"""
    resource "aws_ssm_parameter" "made" {{
      for_each = toset(["a", "$${{b}}"])
      name     = "/{last_engine.kind}/${{md5(each.key)}}"
      type     = "String"
      value    = "v"
    }}
    resource "terraform_data" "slow" {{
      depends_on = [aws_ssm_parameter.made]
      provisioner "local-exec" {{
        command = "sleep %d"
      }}
    }}
    """
    directory = configuration(tmp_path, scene, body % 300)
    plan = sluice.ask("plan", directory, "--workspace", workspace, "--wait", token=ci, code=CHANGES)
    assert (plan["engine"]["kind"], plan["engine"]["version"]) == (last_engine.kind, last_engine.version)
    apply = sluice.ask("approve", plan["id"])["child_run_id"]
    kill_engine(sluice, last_engine, while_running="sleep")
    wait_until("the apply has quiesced", lambda: sluice.ask("run", "show", apply)["quiesced_at"])

    found = sluice.ask("recovery", "show", plan["id"])
    assert (found["run_id"], found["is_complete"], found["evidence"]) == (apply, True, "whole")
    by_address = {item["address"]: item for item in found["items"]}
    made = ['aws_ssm_parameter.made["a"]', 'aws_ssm_parameter.made["$${b}"]']
    assert set(by_address) == {*made, "terraform_data.slow"}
    for address in made:
        assert by_address[address]["outcome"] == "created"
        assert by_address[address]["resource_id"].startswith(f"/{last_engine.kind}/")

    blocks = sluice.run("recovery", "show", plan["id"], "--import-blocks")
    assert blocks.code == DONE
    (directory / "imports.tf").write_text(blocks.out)
    configuration(directory, scene, body % 0)
    again = sluice.ask("plan", directory, "--workspace", workspace, "--wait", token=ci, code=CHANGES)
    assert (again["summary"]["import"], again["summary"]["add"]) == (2, 1)
    sluice.ask("approve", again["id"])
    assert sluice.ask("apply", again["id"], "--wait", token=ci)["status"] == "applied"
    settled = sluice.ask("recovery", "show", apply)
    assert settled["open_count"] == 0
    assert {item["status"] for item in settled["items"]} == {"resolved"}
    assert sluice.ask("recovery", "list", "-w", workspace)["items"] == []


def kill_engine(sluice: RunningSluice, tool: discovery.Tool, *, while_running: str) -> None:
    """SIGKILL the engine once a program of this name runs below it."""

    def found() -> psutil.Process | None:
        for pid in supervisors(f"SLUICE_HOME={sluice.home}"):
            with suppress(psutil.NoSuchProcess):
                below = psutil.Process(pid).children(recursive=True)
                if while_running in {process.name() for process in below}:
                    return next(process for process in below if process.name() == tool.path.name)
        return None

    engine: psutil.Process = wait_until(f"{while_running} runs", found)
    engine.kill()
