"""One workspace's outputs as another's inputs, with a real engine: read at the plan, masked, and moved.

Sluice reads them from the states that it keeps, and hands them over as variables, so one engine shows it.
"""

from tests.e2e.site import MARKS, Site

pytestmark = MARKS
SECRET = "planted-upstream-secret"
NETWORK = """
variable "cidr" {
  default = "10.0.0.0/16"
}
output "cidr" {
  value = var.cidr
}
output "zones" {
  value = { a = 1.5, b = ["$${x}", true] }
}
output "password" {
  value     = "%s"
  sensitive = true
}
output "other" {
  value = timestamp()
}
"""
APP = """
variable "cidr" {
  type = string
}
variable "zones" {
  type = object({ a = number, b = list(any) })
}
variable "password" {
  type = string
}
resource "terraform_data" "made" {
  input = { cidr = var.cidr, zones = jsonencode(var.zones) }
}
resource "terraform_data" "secret" {
  input = var.password
  provisioner "local-exec" {
    command = "echo it is ${var.password}"
  }
}
output "made" {
  value = terraform_data.made.output
}
"""


def test_outputs_are_read_at_the_plan_masked_and_a_changed_one_supersedes(site: Site) -> None:
    network = site.workspace(state_backend="managed")
    reader = site.workspace(state_backend="managed")
    site.applied(network, {"main.tf": NETWORK % SECRET})
    mappings = {name: f"workspace:{network}.{name}" for name in ("cidr", "zones", "password")}
    digest = site.get(f"/terraform/configurations/{site.upload({'main.tf': APP})}")["digest"]
    spec = {"name": reader, "configuration_digest": digest, "output_mappings": mappings}

    refused = site.request(reader, spec=spec)
    failure = site.until(refused, "errored")["failure"]
    assert failure["code"] == "upstream_output_not_shared"
    assert f"sluice state share --workspace {network} --with {reader}" in failure["message"]
    shared = site.sluice.ask("state", "share", "--workspace", network, "--with", reader)
    assert [item["name"] for item in shared["readers"]] == [reader]

    plan = site.planned(reader, spec=spec)
    run = site.run(plan)
    assert {item["input"]: (item["workspace"], item["sensitive"]) for item in run["upstream_outputs"]} == {
        "cidr": (network, False),
        "zones": (network, False),
        "password": (network, True),
    }
    version = site.versions(network)[0]
    assert {item["state_version_id"] for item in run["upstream_outputs"]} == {version["id"]}
    assert f"cidr is read from {network}.cidr" in site.sluice.run("run", "show", plan).out
    apply = site.approve(plan)
    site.until(plan, "applied")
    site.quiet(apply)
    assert site.outputs(reader)["made"] == {"cidr": "10.0.0.0/16", "zones": '{"a":1.5,"b":["${x}","true"]}'}
    for run_id in (plan, apply):
        assert SECRET not in site.log(run_id)
    assert "it is ***" in site.log(apply)
    assert SECRET not in site.admin.get(f"/terraform/runs/{plan}/plan").text
    again = site.request(reader, spec=spec)
    site.until(again, "no_changes")

    waiting = site.planned(reader, kind="destroy", spec=spec)
    site.applied(network, {"main.tf": NETWORK % SECRET})
    assert site.run(waiting)["status"] == "awaiting_approval", "another output changed, and none that was read"
    site.admin.put(
        f"/terraform/workspaces/{network}/variables/terraform/cidr", json={"value": "10.1.0.0/16"}
    ).raise_for_status()
    site.applied(network, {"main.tf": NETWORK % SECRET})
    superseded = site.until(waiting, "superseded")
    assert superseded["status_reason"] == f"The output cidr of {network} changed since it was planned. Plan again."
    following = site.planned(reader, spec=spec)
    assert site.run(following)["upstream_outputs"][0]["serial"] > version["serial"]

    closed = site.sluice.ask("state", "share", "-w", network, "--not-with", reader)
    assert closed == {"everyone": False, "readers": []}
    superseded = site.until(following, "superseded")
    assert "is no longer shared" in superseded["status_reason"]
    assert site.sluice.ask("state", "share", "-w", network, "--everyone")["everyone"] is True
    assert "Every workspace" in site.sluice.run("state", "share", "-w", network).out
    site.planned(reader, spec=spec)
