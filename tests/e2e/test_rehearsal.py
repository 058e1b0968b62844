"""A rehearsal whose worker is killed in the middle: another goes on, and no plan counts twice."""

from typing import Any

from tests.e2e.site import MARKS, Site, wait_until

pytestmark = MARKS
PLANS = 6
SLOW = """package slow

deny contains message if {
	total := sum([z | some x in numbers.range(1, 1000); some y in numbers.range(1, 1000); z := x * y])
	message := sprintf("%d", [total])
}
"""


def test_killed_worker_the_rehearsal_goes_on_and_counts_each_plan_once(site: Site) -> None:
    workspace = site.workspace()
    files = {"main.tf": 'resource "terraform_data" "a" {}\n'}
    runs = [site.request(workspace, files) for _ in range(PLANS)]
    for run_id in runs:
        site.until(run_id, "awaiting_approval")
    for run_id in runs:
        site.quiet(run_id)
    before = [site.run(run_id) for run_id in runs]
    body = {"draft": {"files": {"slow.rego": SLOW}}, "workspaces": [workspace]}
    asked = site.post("/terraform/rehearsals", body, code=202)
    path = f"/terraform/rehearsals/{asked['id']}"

    def begun() -> Any:
        found = site.get(path)
        return found if 0 < found["done"] < PLANS else None

    wait_until("the rehearsal has begun", begun)
    killed = site.kill_worker()
    site.another_worker(than=killed)
    left = site.get(path)
    assert left["status"] == "running"
    wait_until("another worker went on", lambda: site.get(path)["status"] == "finished")
    done = site.get(path)
    assert (done["total"], done["done"], done["newly_blocked"], done["not_evaluable"]) == (PLANS, PLANS, PLANS, 0)
    results = site.get(f"{path}/results")["items"]
    assert [item["run_id"] for item in results] == runs[::-1]
    moves = {"permissions", "timings", "queue"}
    for was, run_id in zip(before, runs, strict=True):
        now = site.run(run_id)
        assert {name: value for name, value in now.items() if name not in moves} == {
            name: value for name, value in was.items() if name not in moves
        }
