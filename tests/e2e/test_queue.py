"""The queue with real workers: messages that come five times or get lost, and workers that freeze or fail."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import redis
from celery import Celery
from sqlalchemy import create_engine, text

from app.embedded.home import open_home
from app.embedded.postgres import Postgres
from tests.e2e.site import CHAIN, MARKS, Site, stopped, wait_until
from tests.support.database import sqlalchemy_address
from tests.support.journal import Journal, running_journal
from tests.support.parts import Parts, running_parts

pytestmark = [pytest.mark.timeout(300), *MARKS]
WORKERS = 3

TOLD = """
resource "terraform_data" "told" {{
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = "{command}"
  }}
}}
"""
"""A configuration whose apply tells a journal outside of the engine that it ran."""


@pytest.fixture
def journal() -> Iterator[Journal]:
    with running_journal() as running:
        yield running


@contextmanager
def sender(url: str) -> Iterator[Celery]:
    with Celery("sluice", broker=url.replace("unix://", "redis+socket://", 1)) as application:
        yield application


def deliver(application: Celery, run_id: str, times: int = 5) -> None:
    for _ in range(times):
        application.send_task("runs.execute", args=[run_id], queue="terraform")


@pytest.fixture
def parts(real_database: str, redis_url: str) -> Iterator[Parts]:
    with running_parts(real_database, redis_url, SLUICE_WORKER_CONCURRENCY="2") as running:
        shared = running.root / "artifacts"
        shared.mkdir(mode=0o700)
        running.settings["SLUICE_ARTIFACTS_URL"] = str(shared)
        running.api()
        running.beat()
        running.workers(*[f"worker{number}" for number in range(WORKERS)])
        yield running


def phases(site: Site, run_id: str, phase: str) -> int:
    """Return how often the run came into a phase: once an engine's start."""
    return [record["text"] for record in site.records(run_id) if record["kind"] == "phase"].count(phase)


def test_message_five_times_at_once_to_several_workers_is_one_execution(parts: Parts, journal: Journal) -> None:
    site = Site(parts)  # type: ignore[arg-type]
    url = parts.redis_url
    found = wait_until("every worker is heard of", lambda: len(site.get("/terraform/workers")["items"]) == WORKERS)
    assert found
    with sender(url) as application:
        workspaces = [site.workspace() for _ in range(2)]
        plans = []
        for workspace in workspaces:
            files = {"main.tf": TOLD.format(command=journal.command(workspace))}
            plans.append(site.request(workspace, files))
            deliver(application, plans[-1])
        for plan in plans:
            site.until(plan, "awaiting_approval")
        applies = []
        for plan in plans:
            applies.append(site.approve(plan))
            deliver(application, applies[-1])
        for apply in applies:
            site.until(apply, "applied")
            site.quiet(apply)
        # What a broker that lost the acknowledgements delivers again.
        for run_id in (*plans, *applies):
            deliver(application, run_id)
        last = site.request(workspaces[0], {"main.tf": CHAIN % 0})
        site.until(last, "awaiting_approval")
    assert journal.counts() == dict.fromkeys(workspaces, 1)
    for run_id in plans:
        assert phases(site, run_id, "planning") == 1
        assert site.run(run_id)["status"] == "applied"
    for run_id in applies:
        assert phases(site, run_id, "applying") == 1
    site.close()


def rows_of(site: Site, *run_ids: str) -> dict[str, Any]:
    """Return everything that the database holds of the runs."""
    url = sqlalchemy_address(Postgres(open_home(site.sluice.home)).url())
    engine = create_engine(url)
    kept = {}
    with engine.connect() as connection:
        for table, column in (
            ("terraform_runs", "id"),
            ("terraform_run_evidence", "run_id"),
            ("terraform_state_versions", "run_id"),
            ("terraform_quarantined_states", "run_id"),
            ("terraform_state_locks", "run_id"),
            ("audit_events", "target_id"),
        ):
            # The audit's sequencer chains events some seconds later: that is no change of what they say.
            row = "(to_jsonb(t) - 'hash' - 'previous_hash' - 'chain_seq')::text"
            query = text(
                f"select count(*), string_agg({row}, ';' order by {row}) from {table} t where {column} = any(:ids)"
            )
            kept[table] = tuple(connection.execute(query, {"ids": list(run_ids)}).one())
    engine.dispose()
    return kept


def test_frozen_worker_the_apply_goes_on_and_the_woken_one_changes_nothing(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 3)
    worker = site.worker()
    with stopped(worker):
        site.until(apply, "applied")
        site.quiet(apply)
        assert site.run(plan)["status"] == "applied"
        assert worker.status() == psutil.STATUS_STOPPED
        time.sleep(6)
        before, records = rows_of(site, plan, apply), site.records(apply)
    # The woken worker works again, and that is all that it does.
    site.until(site.request(workspace, {"main.tf": CHAIN % 3}), "no_changes")
    time.sleep(3)
    assert rows_of(site, plan, apply) == before
    assert site.records(apply) == records
    assert site.worker().pid == worker.pid


def test_flushed_broker_every_queued_run_is_sent_again_and_ends(site: Site) -> None:
    files = {"main.tf": CHAIN % 0}
    spaces = [site.workspace() for _ in range(5)]
    with stopped(site.worker()):
        runs = [site.request(space, files, speculative=bool(number)) for number in range(2) for space in spaces]
        assert {site.run(run_id)["status"] for run_id in runs} == {"queued"}
        with redis.Redis.from_url(site.redis_url()) as broker:
            assert broker.llen("terraform") > 0
            broker.flushall()
    for run_id in runs:
        site.until(run_id, "awaiting_approval", "planned")
    # And whoever sends afterwards is heard too.
    site.until(site.request(spaces[0], files, speculative=True), "planned")


def test_cancel_while_redis_answers_nothing_ends_what_runs_and_what_waits(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 60)
    waiting = site.request(workspace, {"main.tf": CHAIN % 0})
    with stopped(site.redis()):
        site.post(f"/terraform/runs/{waiting}/cancel")
        assert site.run(waiting)["status"] == "cancelled"
        site.post(f"/terraform/runs/{plan}/cancel", {"reason": "no redis"})
        assert site.until(apply, "cancelled")["status_reason"] == "no redis"
        assert "SIGINT" in site.quiet(apply)["proof_of_death"]["signals_sent"]
    assert site.versions(workspace)[0]["kind"] == "applied", "what was done is kept"
    assert site.run(apply)["lock"] is None


def test_worker_whose_nursery_died_ends_and_its_successor_takes_what_waits(site: Site) -> None:
    workspace = site.workspace()
    plan, apply = site.applying(workspace, 4)
    supervisor, _ = site.supervisor()
    nursery, worker = supervisor.parent(), site.worker()
    assert nursery is not None
    nursery.send_signal(signal.SIGKILL)
    site.until(apply, "applied")
    site.quiet(apply)
    assert site.run(plan)["status"] == "applied"
    site.another_worker(than=worker.pid)
    site.until(site.request(workspace, {"main.tf": CHAIN % 4}), "no_changes")
    assert supervisor.pid != worker.pid


def test_place_in_the_queue_is_told_while_a_run_waits(site: Site) -> None:
    workspace = site.workspace()
    _, apply = site.applying(workspace, 60)
    first, second = site.request(workspace, {"main.tf": CHAIN % 0}), site.request(workspace, {"main.tf": CHAIN % 0})
    place = site.run(second)["queue"]
    assert (place["position"], place["code"], place["waits_for"]["id"]) == (2, "workspace_busy", apply)
    said = site.sluice.run("run", "show", second)
    assert f"Waits for {apply}" in said.out
    site.post(f"/terraform/runs/{apply}/cancel")
    site.quiet(apply)
    site.until(first, "awaiting_approval")
    site.until(second, "awaiting_approval")
    assert site.run(second)["queue"] is None
