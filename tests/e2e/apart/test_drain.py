"""SIGTERM to a worker with five applies under way: none lost, none done twice, and what waits is another's."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.site import Site, wait_until
from tests.support.journal import Journal
from tests.support.parts import Part, Parts, running_parts

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e-parts"),
    pytest.mark.timeout(300),
]
APPLIES = 5
GRACE_SECONDS = 3

CONFIGURATION = """
resource "terraform_data" "first" {{
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = "{first}"
  }}
}}
resource "terraform_data" "second" {{
  depends_on = [terraform_data.first]
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = "sleep {seconds} && {second}"
  }}
}}
"""


@pytest.fixture(scope="module")
def installation(module_database: str, module_redis_url: str) -> Iterator[Parts]:
    with running_parts(
        module_database,
        module_redis_url,
        SLUICE_WORKER_CONCURRENCY=str(APPLIES),
        SLUICE_LEASE_SECONDS="10",
        SLUICE_GRACE_SECONDS=str(GRACE_SECONDS),
    ) as running:
        shared = running.root / "artifacts"
        shared.mkdir(mode=0o700)
        running.settings["SLUICE_ARTIFACTS_URL"] = str(shared)
        running.api()
        running.beat()
        yield running


def files(journal: Journal, name: str, seconds: float) -> dict[str, str]:
    made = CONFIGURATION.format(
        first=journal.command(f"{name}:first"), second=journal.command(f"{name}:second"), seconds=seconds
    )
    return {"main.tf": made}


def start_applies(site: Site, journal: Journal, count: int, seconds: float) -> list[tuple[str, str, str]]:
    """Bring applies into their middle; return (workspace, plan, apply) of each."""
    spaces = [site.workspace() for _ in range(count)]
    plans = [site.request(space, files(journal, space, seconds)) for space in spaces]
    for plan in plans:
        site.until(plan, "awaiting_approval")
    applies = [site.approve(plan) for plan in plans]
    for space in spaces:
        wait_until(f"{space} is in the middle", lambda space=space: f"{space}:first" in journal.lines)
    return list(zip(spaces, plans, applies, strict=True))


def drained(worker: Part) -> dict[str, Any]:
    [facts] = worker.said("drained")
    return facts


def test_drain_five_applies_end_and_the_next_worker_takes_what_waits(
    parts: Parts, site: Site, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    first = parts.worker("first", drain_seconds="120")
    running = start_applies(site, journal, APPLIES, seconds=5)
    waiting = [site.request(site.workspace(), files(journal, f"later-{number}", 0)) for number in range(3)]
    begun = time.monotonic()
    assert first.end(seconds=100) == 0
    seconds = time.monotonic() - begun
    facts = drained(first)
    with capsys.disabled():
        print(f"\ndrain: {facts['runs']} applies, over after {facts['seconds']} s, worker gone after {seconds:.2f} s")
    assert (facts["runs"], facts["stopped"], facts["left"]) == (APPLIES, 0, 0)
    for space, plan, apply in running:
        assert site.run(apply)["status"] == "applied"
        assert site.run(plan)["status"] == "applied"
        assert site.run(apply)["quiesced_at"]
        assert [version["kind"] for version in site.versions(space)][:1] == ["applied"]
        assert journal.counts()[f"{space}:first"] == journal.counts()[f"{space}:second"] == 1
    assert {site.run(run_id)["status"] for run_id in waiting} == {"queued"}, "a worker that drains claims nothing"
    second = parts.worker("second")
    for run_id in waiting:
        site.until(run_id, "awaiting_approval")
        assert site.run(run_id)["claimed_by"]["pid"] == second.pid
    for space, _, _ in running:
        site.until(site.request(space, files(journal, space, 5)), "no_changes")


def test_drain_at_its_deadline_stops_what_runs_and_keeps_the_state(parts: Parts, site: Site, journal: Journal) -> None:
    first = parts.worker("first", drain_seconds="2")
    running = start_applies(site, journal, 2, seconds=600)
    assert first.end(seconds=100) == 0
    assert (drained(first)["stopped"], drained(first)["left"]) == (2, 0)
    second = parts.worker("second")
    for space, plan, apply in running:
        run = site.quiet(apply)
        assert run["status"] == "errored"
        assert run["failure"]["code"] == "runner_terminated"
        assert "SLUICE_DRAIN_SECONDS" in run["failure"]["message"]
        assert run["lock"] is None
        assert site.run(plan)["status"] == "errored"
        resources = site.get(f"/terraform/state-versions/{site.versions(space)[0]['id']}")["resources"]
        assert "terraform_data.first" in [found["address"] for found in resources]
        again = site.planned(space, files(journal, space, 0))
        assert site.run(again)["claimed_by"]["pid"] == second.pid
        assert journal.counts()[f"{space}:first"] == 1
        assert journal.counts()[f"{space}:second"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_second_signal_hurries(parts: Parts, site: Site, journal: Journal, number: signal.Signals) -> None:
    worker = parts.worker("first", drain_seconds="600")
    [(_, _, apply)] = start_applies(site, journal, 1, seconds=600)
    worker.process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    assert worker.process.poll() is None
    assert worker.end(number, seconds=100) == 0
    assert site.quiet(apply)["failure"]["code"] == "runner_terminated"
