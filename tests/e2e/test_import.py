"""Bringing a workspace in that engines made without Sluice: its first plan shows no changes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.executor.discovery import Tool
from tests.e2e.site import Site
from tests.state.hcp_server import Answer, HcpServer, one, resource, running_hcp
from tests.support.guards import spawning
from tests.support.server import running_sluice

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("import")]

MAIN = """
variable "size" {
  type    = number
  default = 1
}
variable "secret" {
  type      = string
  sensitive = true
}
resource "terraform_data" "made" {
  count = 2
  input = { size = var.size, secret = var.secret }
}
output "made" {
  value     = terraform_data.made[*].id
}
"""
SECRET = "planted-import-secret"


@pytest.fixture(scope="module")
def hcp() -> Iterator[HcpServer]:
    with running_hcp() as running:
        yield running


@pytest.fixture(scope="module")
def site(hcp: HcpServer) -> Iterator[Site]:
    with running_sluice(hcp_import_hosts=hcp.address, hcp_url=hcp.address) as running:
        opened = Site(running)
        yield opened
        opened.close()


@pytest.fixture
def directory(engine_tool: Tool, tmp_path: Path) -> Path:
    """A directory in which an engine has applied by itself."""
    (tmp_path / "main.tf").write_text(MAIN)
    (tmp_path / "terraform.tfvars").write_text(f'size = 3\nsecret = "{SECRET}"\n')
    for arguments in (("init",), ("apply", "-auto-approve")):
        with spawning("an engine by hand"):
            done = subprocess.run(
                [engine_tool.path, *arguments, "-input=false", "-no-color"],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "terraform.tfvars").unlink()
    return tmp_path


def variables(site: Site, workspace: str, **values: str) -> None:
    for key, value in values.items():
        body = {"value": value, "is_sensitive": key == "secret"}
        site.admin.put(f"/terraform/workspaces/{workspace}/variables/terraform/{key}", json=body).raise_for_status()


def first_plan(site: Site, workspace: str, directory: Path) -> None:
    """The first plan shows no changes, and one that changes something goes on from the imported state."""
    files = {"main.tf": (directory / "main.tf").read_text()}
    plan = site.request(workspace, files)
    assert site.until(plan, "no_changes")["has_changes"] is False
    site.quiet(plan)
    variables(site, workspace, size="4")
    site.applied(workspace, files)
    newest, *_, imported = site.versions(workspace)
    assert (imported["kind"], newest["lineage"]) == ("imported", imported["lineage"])
    assert newest["serial"] > imported["serial"]


@pytest.mark.parametrize("backend", ["managed", "local"])
def test_state_file_of_an_engine_is_imported_and_its_first_plan_shows_no_changes(
    site: Site, engine_tool: Tool, directory: Path, backend: str
) -> None:
    workspace = site.workspace(engine_tool.kind, state_backend=backend)
    variables(site, workspace, size="3", secret=SECRET)
    made = site.sluice.ask("state", "import", "--workspace", workspace, directory / "terraform.tfstate")
    assert (made["number"], made["kind"], made["resource_count"]) == (1, "imported", 2)
    assert site.sluice.ask("state", "import", "-w", workspace, directory / "terraform.tfstate")["id"] == made["id"]
    first_plan(site, workspace, directory)
    refused = site.sluice.ask("state", "import", "-w", workspace, directory / "terraform.tfstate", code=1)
    assert refused["code"] == "state_exists"


def test_import_makes_workspace_and_stack_and_reads_standard_input(
    site: Site, engine_tool: Tool, directory: Path
) -> None:
    state = (directory / "terraform.tfstate").read_text()
    name = f"made-{engine_tool.kind}"
    unknown = site.sluice.ask("state", "import", "-w", name, directory / "terraform.tfstate", code=1)
    assert unknown["code"] == "workspace_not_found"
    said = site.sluice.run("state", "import", "-w", name, "--create", "--stack", f"{name}-stack", "-", stdin=state)
    assert said.code == 0, said.err
    assert "imported" in said.out
    assert site.get(f"/terraform/workspaces/{name}")["stack"]["name"] == f"{name}-stack"


def test_workspace_of_hcp_terraform_is_imported_and_its_first_plan_shows_no_changes(
    site: Site, hcp: HcpServer, engine_tool: Tool, directory: Path
) -> None:
    workspace = site.workspace(engine_tool.kind, state_backend="managed")
    state = (directory / "terraform.tfstate").read_bytes()
    serial = json.loads(state)["serial"]
    found = [
        resource("vars", "var-1", key="size", value="3", category="terraform", hcl=True, sensitive=False),
        resource("vars", "var-2", key="secret", value=None, category="terraform", hcl=False, sensitive=True),
    ]
    hcp.answers(
        one("workspaces", "ws-9", name="net"),
        one("state-versions", "sv-9", serial=serial, hosted_state_download_url=f"{hcp.address}/state"),
        Answer(document={"data": found}),
        Answer(raw=state),
    )
    answer = site.sluice.ask(
        "state", "import", "-w", workspace, "--from-hcp", "acme/net", variables={"TFE_TOKEN": "hcp-planted-token"}
    )
    assert answer["state_version"]["serial"] == serial
    assert {item["key"]: item["outcome"] for item in answer["variables"]} == {"size": "set", "secret": "to_set_by_hand"}
    variables(site, workspace, secret=SECRET)
    first_plan(site, workspace, directory)
    assert "hcp-planted-token" not in site.sluice.newest_log()
