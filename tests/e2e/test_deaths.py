"""What is killed, halted or cut off in mid-apply, with real processes: no state lost, nothing left alive."""

import json
import signal
import threading
import time
from typing import Any

import psutil
from celery import Celery

from tests.e2e.site import CHAIN, MARKS, Site, gone, stopped, wait_until

pytestmark = MARKS
LEASE_SECONDS = 4
GRACE_SECONDS = 2
SLACK_SECONDS = 20
"""For a sweep (every 2 s), a worker that starts, and a machine that does other things too."""


def test_killed_worker_the_supervisor_applies_to_the_end(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 8)
    supervisor, _ = site.supervisor()
    worker = site.worker()
    worker.kill()
    psutil.wait_procs([worker], timeout=60)
    assert supervisor.is_running()
    site.another_worker(than=worker.pid)
    run = site.until(apply, "applied")
    assert run["claimed_by"]["pid"] == worker.pid
    assert site.quiet(apply)["proof_of_death"]["kind"] in {"wait_status", "empty_pid_namespace"}
    assert site.run(plan)["status"] == "applied"
    assert [version["number"] for version in site.versions(workspace)] == [1]
    assert site.outputs(workspace) == {"first": "made"}
    assert gone([supervisor])
    site.until(site.request(workspace, {"main.tf": CHAIN % 8}), "no_changes")


def nothing_starts_before_the_lock_is_released(site: Site, workspace: str, apply: str) -> None:
    lock = site.quiet(apply)["lock"]
    assert lock["run_id"] == apply
    assert lock["is_orphaned"]
    assert [item["run"]["id"] for item in orphaned(site) if item["lock"]["run_id"] == apply]
    following = site.request(workspace, {"main.tf": CHAIN % 0})
    time.sleep(2.5)
    assert site.run(following)["status"] == "queued", "a sweep has passed, and the orphaned lock holds it"
    site.post(f"/terraform/workspaces/{workspace}/state-lock/release")
    site.until(following, "awaiting_approval", "no_changes")


def orphaned(site: Site) -> list[dict[str, Any]]:
    groups = {group["name"]: group["items"] for group in site.get("/terraform/inbox")["groups"]}
    found: list[dict[str, Any]] = groups["orphaned_locks"]
    return found


def test_killed_supervisor_the_run_errors_and_the_engine_is_gone(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 60)
    supervisor, engine = site.supervisor()
    assert engine, "the engine runs below its supervisor"
    waiting = site.request(workspace, {"main.tf": CHAIN % 0})
    supervisor.send_signal(signal.SIGKILL)
    run = site.until(apply, "errored", seconds=LEASE_SECONDS + SLACK_SECONDS)
    assert run["failure"]["code"] in {"supervisor_died", "lease_expired"}
    assert site.run(plan)["status"] == "errored"
    assert gone(engine), "the engine dies with its supervisor"
    assert site.run(waiting)["status"] == "queued"
    nothing_starts_before_the_lock_is_released(site, workspace, apply)
    wait_until("the run that waited ends too", lambda: site.run(waiting)["status"] != "queued")


def test_killed_nursery_the_worker_is_started_again_and_no_run_is_lost(site: Site) -> None:
    workspace = site.workspace()
    _, apply = site.applying(workspace, 4)
    supervisor, _ = site.supervisor()
    worker, nursery = site.worker(), supervisor.parent()
    assert nursery is not None
    assert nursery.name() == "sluice-nursery"
    nursery.kill()
    site.another_worker(than=worker.pid)
    following = site.request(site.workspace(), {"main.tf": CHAIN % 0})
    site.until(following, "awaiting_approval")
    site.until(apply, "applied")
    assert site.quiet(apply)["lock"] is None


def test_killed_worker_and_supervisor_the_lease_ends_the_run(site: Site) -> None:
    workspace = site.workspace()
    _, apply = site.applying(workspace, 60)
    supervisor, engine = site.supervisor()
    nursery = supervisor.parent()
    worker = site.worker()
    assert nursery is not None
    for process in (worker, nursery, supervisor):
        process.send_signal(signal.SIGKILL)
    assert gone([supervisor, *engine])
    site.another_worker(than=worker.pid)
    run = site.until(apply, "errored", seconds=LEASE_SECONDS + SLACK_SECONDS)
    assert run["failure"]["code"] == "lease_expired"
    run = site.quiet(apply, seconds=LEASE_SECONDS + GRACE_SECONDS + SLACK_SECONDS)
    assert run["proof_of_death"]["kind"] == "presumed_by_lease"
    nothing_starts_before_the_lock_is_released(site, workspace, apply)


def test_frozen_supervisor_ends_its_engine_and_its_run_is_swept(site: Site) -> None:
    workspace = site.workspace()
    _, apply = site.applying(workspace, 60)
    supervisor, engine = site.supervisor()
    with stopped(supervisor):
        run = site.until(apply, "errored", seconds=LEASE_SECONDS + SLACK_SECONDS)
        assert run["failure"]["code"] == "lease_expired"
        following = site.request(workspace, {"main.tf": CHAIN % 0})
        assert site.run(following)["status"] == "queued"
    assert gone([supervisor, *engine], 20), "once thawed it finds its lease lost, and ends what it started"
    run = site.quiet(apply)
    assert run["status"] == "errored"
    # What thawed may have given the lock back itself, and then the following run has it.
    if run["lock"] is not None and run["lock"]["run_id"] == apply:
        site.post(f"/terraform/workspaces/{workspace}/state-lock/release")
    site.until(following, "awaiting_approval", "no_changes")


def test_halt_in_an_apply_interrupts_keeps_the_state_and_holds_until_resume(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 60)
    waiting = site.request(workspace, {"main.tf": CHAIN % 0})
    supervisor, engine = site.supervisor()
    scope = {"scope": "workspace", "workspace": workspace}
    halt = site.post("/terraform/halt", {**scope, "reason": "fire"})
    assert halt["runs"]["marked"] == 3
    for run_id in (plan, apply, waiting):
        run = site.run(run_id)
        assert (run["status"], run["halted"]) == ("cancelled", True)
    refused = site.planner.post("/terraform/runs", json={"workspace": workspace, "kind": "refresh"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "halted"
    assert gone([supervisor, *engine], GRACE_SECONDS + 20)
    run = site.quiet(apply)
    assert run["status"] == "cancelled"
    assert "SIGINT" in run["proof_of_death"]["signals_sent"]
    version, *snapshots = site.versions(workspace)
    assert version["kind"] == "applied"
    assert {snapshot["kind"] for snapshot in snapshots} <= {"snapshot"}
    resources = site.get(f"/terraform/state-versions/{version['id']}")["resources"]
    assert "terraform_data.first" in [resource["address"] for resource in resources], "what was done is kept"
    [standing] = [item for item in site.get("/terraform/halt")["active"] if item["id"] == halt["id"]]
    assert (standing["runs"]["dying"], standing["runs"]["dead"], standing["runs"]["never_started"]) == (0, 2, 1)
    assert site.run(apply)["lock"] is None, "the state was stored, so no lock is stuck"

    site.post("/terraform/resume", {**scope, "reason": "out"})
    following = site.request(workspace, {"main.tf": CHAIN % 0})
    site.until(following, "awaiting_approval")


def test_cancel_in_an_apply_keeps_the_state(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 60)
    site.post(f"/terraform/runs/{plan}/cancel", {"reason": "wrong region"})
    run = site.until(apply, "cancelled")
    assert run["status_reason"] == "wrong region"
    site.quiet(apply)
    assert site.run(plan)["status"] == "cancelled"
    assert site.versions(workspace)[0]["kind"] == "applied"


def test_redis_that_answers_nothing_progress_cancel_and_halt_still_work(site: Site) -> None:
    workspace = site.workspace()
    _, apply = site.applying(workspace, 60)
    with stopped(site.redis()):
        before = len(site.records(apply))
        halt = site.post("/terraform/halt", {"scope": "workspace", "workspace": workspace, "reason": "no redis"})
        assert halt["runs"]["marked"] == 2
        site.quiet(apply)
        records = site.records(apply)
        assert len(records) > before
        assert [record["offset"] for record in records] == list(range(len(records)))
        site.post("/terraform/resume", {"scope": "workspace", "workspace": workspace, "reason": "out"})
        # What is requested now can't be sent; it starts when the sweep finds it.
        following = site.request(workspace, {"main.tf": CHAIN % 0})
    site.until(following, "awaiting_approval", "no_changes")


def test_message_delivered_five_times_is_executed_once(site: Site) -> None:
    workspace = site.workspace()
    url = site.redis_url().replace("unix://", "redis+socket://", 1)
    with Celery("sluice", broker=url) as sender:
        run_id = site.request(workspace, {"main.tf": CHAIN % 0})
        for _ in range(5):
            sender.send_task("runs.execute", args=[run_id], queue="terraform")
        site.until(run_id, "awaiting_approval")
        site.quiet(run_id)
        for _ in range(5):
            sender.send_task("runs.execute", args=[run_id], queue="terraform")
    time.sleep(1)
    phases = [record["text"] for record in site.records(run_id) if record["kind"] == "phase"]
    assert phases.count("planning") == 1
    assert site.run(run_id)["status"] == "awaiting_approval"


def test_many_workspaces_at_once_all_reach_the_gate(site: Site) -> None:
    files = {"main.tf": CHAIN % 0}
    spaces = [site.workspace() for _ in range(6)]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda space=space: found.append(site.request(space, files)))  # type: ignore[misc]
        for space in spaces
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6, json.dumps(found)
    for run_id in found:
        site.until(run_id, "awaiting_approval")
