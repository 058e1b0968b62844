"""States that an engine could not hand over: found, looked at, and made the current ones again.

Each engine has its own way to keep a state that its backend refused, so that journey is walked with each. What becomes
of a state in quarantine is Sluice's alone, and one engine shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.executor.discovery import Tool
from tests.e2e.refusing import Proxy, refusing_proxy
from tests.e2e.site import CHAIN, MARKS, Site, gone, wait_until
from tests.e2e.test_deaths import GRACE_SECONDS, LEASE_SECONDS, SLACK_SECONDS, stopped
from tests.support.server import running_sluice

pytestmark = MARKS


@dataclass(frozen=True)
class Refusing:
    """A Sluice, and the proxy before its state backend."""

    site: Site
    proxy: Proxy


@pytest.fixture(scope="module")
def refusing() -> Iterator[Refusing]:
    with refusing_proxy() as proxy, running_sluice(runner_url=proxy.address) as running:
        proxy.target = running.url
        opened = Site(running)
        yield Refusing(opened, proxy)
        opened.close()


def test_write_that_the_backend_refuses_at_the_end_is_recovered_from_what_the_engine_left(
    refusing: Refusing, engine_tool: Tool
) -> None:
    site, proxy = refusing.site, refusing.proxy
    workspace = site.workspace(engine_tool.kind, state_backend="managed")
    plan = site.planned(workspace, {"main.tf": CHAIN % 0})
    proxy.refused.clear()
    proxy.refuses = True
    try:
        apply = site.approve(plan)
        site.until(apply, "errored")
        site.quiet(apply)
    finally:
        proxy.refuses = False
    assert proxy.refused, "the engine tried"
    (version,) = site.versions(workspace)
    assert (version["kind"], version["run_id"]) == ("errored", apply)
    assert site.outputs(workspace) == {"first": "made"}
    following = site.request(workspace, {"main.tf": CHAIN % 0})
    site.until(following, "no_changes")


def test_state_of_an_apply_that_lost_its_lease_is_restored_from_quarantine(site: Site, tmp_path: Path) -> None:
    workspace = site.workspace(state_backend="managed")
    _, apply = site.applying(workspace, 60)
    supervisor, engine = site.supervisor()
    with stopped(supervisor):
        site.until(apply, "errored", seconds=LEASE_SECONDS + SLACK_SECONDS)
        site.quiet(apply, seconds=LEASE_SECONDS + GRACE_SECONDS + SLACK_SECONDS)
        site.sluice.ask("state", "force-unlock", "-w", workspace, "--reason", "its worker is frozen")
    assert gone([supervisor, *engine], 20)
    assert site.versions(workspace) == [], "the credential went with the run"

    def held() -> list[dict[str, object]]:
        found: list[dict[str, object]] = site.sluice.ask("state", "quarantine", "list", "-w", workspace)["items"]
        return [item for item in found if item["kind"] == "errored"]

    (left,) = wait_until("what the engine left is in quarantine", held)
    assert (left["run_id"], left["code"], left["status"]) == (apply, "lease_lost", "held")
    quarantine_id = str(left["id"])
    shown = site.sluice.ask("state", "quarantine", "show", quarantine_id)
    assert "terraform_data.first" in [item["address"] for item in shown["resources"]]
    assert (shown["diff"]["before"], shown["diff"]["removed"]) == (None, 0)
    assert "+ terraform_data.first" in site.sluice.run("state", "quarantine", "show", quarantine_id).out
    file = tmp_path / "left.tfstate"
    site.sluice.ask("state", "quarantine", "download", quarantine_id, "-o", file)
    assert file.stat().st_mode & 0o777 == 0o600

    made = site.sluice.ask("state", "quarantine", "restore", quarantine_id, "--reason", "it is what is there")
    assert (made["number"], made["kind"], made["run_id"]) == (1, "recovered", apply)
    assert site.sluice.ask("state", "quarantine", "restore", quarantine_id, "--reason", "again", code=1)["code"] == (
        "quarantine_decided"
    )
    for item in site.sluice.ask("state", "quarantine", "list", "-w", workspace)["items"]:
        site.sluice.ask("state", "quarantine", "discard", item["id"], "--reason", "the same state, sent twice")
    assert site.sluice.ask("state", "quarantine", "list", "-w", workspace)["items"] == []
    following = site.request(workspace, {"main.tf": CHAIN % 0})
    run = site.until(following, "awaiting_approval")
    assert run["summary"]["add"] in {0, 1}
    assert "terraform_data.first: Plan to create" not in site.log(following)
    site.sluice.ask("state", "retention", "set", "-w", workspace, "--keep-versions", "5")
    assert site.sluice.ask("state", "retention", "show", "-w", workspace)["keep_versions"] == 5
