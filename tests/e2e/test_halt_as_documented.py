"""docs/halt.md as people follow it: its commands from a shell and from a dashboard, the WebSocket, a drill."""

import json
import re
import subprocess
from pathlib import Path

from websockets.sync.client import connect

from tests.e2e.site import CHAIN, MARKS, Site
from tests.support.guards import spawning
from tests.support.server import SLUICE, clean_environment

pytestmark = MARKS
PAGE = Path(__file__).parents[2] / "docs" / "halt.md"
BLOCK = re.compile(r"<!-- runs: [^\n]* -->\n```console\n(.*?)```", re.DOTALL)


def documented() -> list[list[str]]:
    """Return the commands of each block of the page that says it is run here."""
    return [
        [line[2:] for line in block.splitlines() if line.startswith("$ ")] for block in BLOCK.findall(PAGE.read_text())
    ]


def run(site: Site, commands: list[str]) -> str:
    """Run the commands in one shell, which ends at the first that fails; return what they print."""
    own = {"SLUICE_URL": site.sluice.url, "SLUICE_TOKEN": site.sluice.token}
    environment = clean_environment() | own
    environment["PATH"] = f"{SLUICE.parent}:{environment['PATH']}"
    with spawning("the page's commands"):
        done = subprocess.run(
            ["bash", "-ec", "\n".join(commands)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}\n{site.sluice.newest_log()}"
    return done.stdout


def test_shell_halts_waits_for_every_death_and_resumes(site: Site) -> None:
    shell = documented()[0]
    assert [command.split()[:2] for command in shell] == [["sluice", "halt"], ["sluice", "halts"], ["sluice", "resume"]]
    workspace = site.workspace()
    _, apply = site.applying(workspace, 60)
    address = site.sluice.url.replace("http", "ws", 1) + "/terraform/ws/halt"
    with connect(address, additional_headers={"Authorization": f"Bearer {site.sluice.token}"}) as socket:
        assert json.loads(socket.recv(10))["active"] == []
        said = run(site, shell)
        frames = []
        while not frames or frames[-1]["active"]:
            frame = json.loads(socket.recv(60))
            if frame["type"] == "halts":
                frames.append(frame)
    assert "wrong account" in said
    assert "0 dying" in said
    assert "empty_pid_namespace" in said or "wait_status" in said
    assert "Lifted the halt" in said
    run_of = next(found for found in frames[-2]["active"][0]["runs"]["items"] if found["run_id"] == apply)
    assert (run_of["state"], run_of["lock"]) == ("dead", "released")
    assert run_of["state_written"]["serial"] >= 1, "the state of what was done is kept"


def test_dashboard_halts_and_resumes_by_curl_and_may_nothing_else(site: Site) -> None:
    dashboard = documented()[1]
    assert sum(command.startswith("curl ") for command in dashboard) == 4
    *answers, last = [line for line in re.split(r"(?<=})(?=[{\d])|\n", run(site, dashboard)) if line]
    halted, standing, resumed = (json.loads(line) for line in answers if line.startswith("{"))
    assert halted["id"] == standing["active"][0]["id"] == resumed["id"]
    assert resumed["resumed_by"]["name"] == "ops-dashboard"
    assert last == "403"
    assert site.get("/terraform/halt")["active"] == []


def test_drill_as_documented_passes_and_touches_no_other_workspace(site: Site) -> None:
    workspace = site.workspace()
    waiting = site.planned(workspace, {"main.tf": CHAIN % 0})
    said = run(site, documented()[2])
    assert "The switch works" in said
    assert site.run(waiting)["status"] == "awaiting_approval"
    [drill, *_] = site.get("/terraform/halt/drills")["items"]
    assert drill["status"] == "passed"
    assert [step["name"] for step in drill["steps"]] == ["plan", "start", "halt", "death", "refusal", "resume"]
    assert site.get("/terraform/halt")["active"] == []


def test_drill_in_a_workspace_with_work_under_way_is_refused(site: Site) -> None:
    workspace = site.workspace()
    site.planned(workspace, {"main.tf": CHAIN % 0})
    refused = site.post("/terraform/halt/drills", {"workspace": workspace}, code=409)
    assert refused["code"] == "drill_not_possible"
