"""What a killed apply made and no state knows is on its recovery list, and leaves it once a state knows it."""

import shutil
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.executor.discovery import Tool
from tests.e2e.site import CHAIN, MARKS, Site, gone, wait_until
from tests.e2e.test_deaths import GRACE_SECONDS, LEASE_SECONDS, SLACK_SECONDS

pytestmark = MARKS


def engine_of(processes: list[psutil.Process]) -> psutil.Process:
    [found] = [process for process in processes if process.name() in {"tofu", "terraform"}]
    return found


def directory_of(supervisor: psutil.Process, *names: str) -> Path:
    """Return the directory of the run that a supervisor has claimed."""
    links = [link.readlink() for link in Path(f"/proc/{supervisor.pid}/fd").iterdir()]
    found: Path = next(link for link in links if link.name in names)
    return found


def listed(site: Site, run_id: str) -> dict[str, dict[str, Any]]:
    """Return the items of a run's complete recovery list, by address."""
    found = wait_until("the list is complete", lambda: _complete(site, run_id))
    return {item["address"]: item for item in found["items"]}


def _complete(site: Site, run_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] = site.get(f"/terraform/runs/{run_id}/recovery")
    return found if found["is_complete"] else None


def test_killed_engine_what_it_made_is_listed_with_its_id_and_imported(site: Site, engine_tool: Tool) -> None:
    workspace = site.workspace(engine_tool.kind, state_backend="managed")
    plan, apply = site.applying(workspace, 60)
    _, processes = site.supervisor()
    engine_of(processes).send_signal(signal.SIGKILL)
    site.until(apply, "errored")
    site.quiet(apply)
    assert site.versions(workspace) == [], "nothing had been sent"

    items = listed(site, apply)
    assert set(items) == {"terraform_data.first", "terraform_data.slow"}
    first, slow = items["terraform_data.first"], items["terraform_data.slow"]
    assert (first["outcome"], first["action"], first["is_in_state"], first["status"]) == (
        "created",
        "create",
        False,
        "open",
    )
    assert (slow["outcome"], slow["resource_id"], slow["import_block"]) == ("unknown", None, None)
    assert first["import_block"] == (f'import {{\n  to = terraform_data.first\n  id = "{first["resource_id"]}"\n}}\n')
    assert slow["started_at"] is not None
    recovery = site.get(f"/terraform/runs/{plan}/recovery")
    assert (recovery["run_id"], recovery["evidence"], recovery["open_count"]) == (apply, "whole", 2)

    site.applied(workspace, {"main.tf": CHAIN % 0, "imports.tf": first["import_block"]})
    after = listed(site, apply)
    assert {item["status"] for item in after.values()} == {"resolved"}
    assert after["terraform_data.first"]["is_in_state"]
    resources = site.get(f"/terraform/state-versions/{site.versions(workspace)[0]['id']}")["resources"]
    assert "terraform_data.first" in [resource["address"] for resource in resources]


@pytest.mark.parametrize("backend", ["managed", "local"])
def test_killed_supervisor_what_its_engine_made_is_in_a_state_or_listed(site: Site, backend: str) -> None:
    workspace = site.workspace(state_backend=backend)
    _, apply = site.applying(workspace, 60)
    supervisor, engine = site.supervisor()
    supervisor.send_signal(signal.SIGKILL)
    assert gone(engine)
    site.until(apply, "errored", seconds=LEASE_SECONDS + SLACK_SECONDS)
    site.quiet(apply)
    found = wait_until("the list is complete", lambda: _complete(site, apply))
    assert found["evidence"] == "whole", "the engine's words outlived its supervisor"
    held = [
        resource["address"]
        for version in site.versions(workspace)
        for resource in site.get(f"/terraform/state-versions/{version['id']}")["resources"]
    ]
    items = {item["address"]: item for item in found["items"]}
    assert {"terraform_data.first", "terraform_data.slow"} <= {*held, *items}
    if "terraform_data.first" in items:
        assert items["terraform_data.first"]["outcome"] == "created"
        assert items["terraform_data.first"]["resource_id"]
    if "terraform_data.slow" in items:
        assert items["terraform_data.slow"]["outcome"] == "unknown"


def test_lost_directory_what_was_planned_and_is_nowhere_counts_as_begun(site: Site) -> None:
    """Worker, nursery and supervisor die, and so does the machine's disk."""
    workspace = site.workspace(state_backend="managed")
    plan, apply = site.applying(workspace, 60)
    supervisor, engine = site.supervisor()
    nursery, worker = supervisor.parent(), site.worker()
    assert nursery is not None
    directory = directory_of(supervisor, plan, apply)
    for process in (worker, nursery, supervisor):
        process.send_signal(signal.SIGKILL)
    lost = directory.rename(directory.with_name(f".lost-{directory.name}"))
    assert gone([supervisor, *engine])
    shutil.rmtree(lost)
    site.another_worker(than=worker.pid)
    site.until(apply, "errored", seconds=LEASE_SECONDS + SLACK_SECONDS)
    site.quiet(apply, seconds=LEASE_SECONDS + GRACE_SECONDS + SLACK_SECONDS)
    found = wait_until("the list is complete", lambda: _complete(site, apply))
    items = {item["address"]: item for item in found["items"]}
    assert set(items) == {"terraform_data.first", "terraform_data.slow"}
    assert found["evidence"] in {"partial", "none"}
    if found["evidence"] == "none":
        assert {item["reason"] for item in items.values()} == {"The runner died; the engine may have started it."}
    site.post(f"/terraform/workspaces/{workspace}/state-lock/release")


def test_cancelled_apply_that_stored_its_state_leaves_nothing(site: Site) -> None:
    workspace = site.workspace(state_backend="managed")
    plan, apply = site.applying(workspace, 60)
    site.post(f"/terraform/runs/{plan}/cancel", {"reason": "wrong region"})
    site.until(apply, "cancelled")
    site.quiet(apply)
    assert listed(site, apply) == {}


def test_failed_provisioner_leaves_a_tainted_resource_in_the_state_and_no_item(site: Site) -> None:
    workspace = site.workspace()
    failing = 'resource "terraform_data" "p" {\n  provisioner "local-exec" {\n    command = "exit 3"\n  }\n}\n'
    plan = site.planned(workspace, {"main.tf": failing})
    apply = site.approve(plan)
    site.until(apply, "errored")
    site.quiet(apply)
    assert listed(site, apply) == {}
    assert site.versions(workspace)[0]["resource_count"] == 1


def test_item_is_dismissed_with_a_reason_once(site: Site) -> None:
    workspace = site.workspace(state_backend="managed")
    _, apply = site.applying(workspace, 60)
    _, processes = site.supervisor()
    engine_of(processes).send_signal(signal.SIGKILL)
    site.until(apply, "errored")
    site.quiet(apply)
    item = listed(site, apply)["terraform_data.slow"]
    path = f"/terraform/recovery/resources/{item['id']}/dismiss"
    dismissed = site.post(path, {"reason": "its command did nothing"})
    assert (dismissed["status"], dismissed["decision_reason"]) == ("dismissed", "its command did nothing")
    assert site.post(path, {"reason": "again"}, code=409)["code"] == "recovery_item_settled"
    waiting = site.get(f"/terraform/recovery/resources?workspace={workspace}&status=open")["items"]
    assert [item["address"] for item in waiting] == ["terraform_data.first"]
