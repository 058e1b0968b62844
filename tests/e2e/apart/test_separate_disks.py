"""Plan on one worker, apply on another that shares no disk with it; artifacts go through an S3 API on loopback.

With one engine: what travels is Sluice's. That each engine applies what was planned in another directory is in
test_journey.py.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.site import Site, wait_until
from tests.support import object_stores
from tests.support.journal import Journal
from tests.support.object_stores import ObjectStore
from tests.support.parts import Part, Parts, running_parts

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e-parts"),
    pytest.mark.timeout(240),
]
FAKE = Path(__file__).parents[2] / "executor" / "fake_engine.py"

CONFIGURATION = """
resource "terraform_data" "here" {{
  input = {{
    cwd    = path.cwd
    module = abspath(path.module)
    data   = file("${{path.module}}/data.txt")
  }}
  provisioner "local-exec" {{
    interpreter = ["/bin/bash", "-c"]
    command     = "seen=$(env | grep -c ^AWS_); {journal}"
  }}
}}
output "here" {{
  value = terraform_data.here.output
}}
"""


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_stores.running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def installation(module_database: str, module_redis_url: str, objects: ObjectStore) -> Iterator[Parts]:
    # Another installation may have its artifacts in the same store, in another place.
    place = objects.url.replace("?", f"/{secrets.token_hex(4)}?", 1)
    settings = {"SLUICE_ARTIFACTS_URL": place, **objects.environment}
    with running_parts(module_database, module_redis_url, SLUICE_GRACE_SECONDS="2", **settings) as running:
        running.api()
        running.beat()
        yield running


def sees_its_own_disk_alone(part: Part, parts: Parts) -> None:
    """Look through the eyes of the process: the disk is its own, and nothing of the others' can be reached."""
    assert (part.inside(parts.disk) / "whose").read_text() == part.name
    assert list(part.inside(parts.root / "disks").iterdir()) == []


def planned_and_applied_elsewhere(site: Site, parts: Parts, plan: str, first: Part, **settings: str) -> Part:
    """Take the worker that planned away, approve, and let a new one apply; return it."""
    assert site.run(plan)["claimed_by"]["pid"] == first.pid
    sees_its_own_disk_alone(first, parts)
    assert first.end() == 0
    assert not psutil.pid_exists(first.pid)
    apply = site.approve(plan)
    second = parts.worker("second", **settings)
    sees_its_own_disk_alone(second, parts)
    site.until(apply, "applied")
    assert site.quiet(apply)["claimed_by"]["pid"] == second.pid
    return second


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_plan_here_apply_there(site: Site, parts: Parts, journal: Journal, sandbox: str) -> None:
    first = parts.worker("first", sandbox=sandbox)
    workspace = site.workspace()
    main = CONFIGURATION.format(journal=journal.command(f"{workspace}:aws:$seen"))
    plan = site.planned(workspace, {"main.tf": main, "data.txt": "packed with it"})
    assert not list((first.disk / "home").rglob("artifacts")), "nothing is kept on the worker's disk"
    second = planned_and_applied_elsewhere(site, parts, plan, first, sandbox=sandbox)
    here = site.outputs(workspace)["here"]
    assert here["data"] == "packed with it"
    assert here["cwd"] == here["module"]
    if sandbox == "off":
        assert here["cwd"].startswith(str(parts.disk / "runs")), "the same path on both disks"
    assert journal.counts() == {**journal.counts(), f"{workspace}:aws:0": 1}, (
        "no credential of the store is the engine's"
    )
    again = site.request(workspace, {"main.tf": main, "data.txt": "packed with it"})
    if sandbox == "auto":
        site.until(again, "no_changes")
    else:
        # Without a sandbox each plan has a directory of its own, which this configuration writes down.
        site.until(again, "awaiting_approval")
    assert site.run(again)["claimed_by"]["pid"] == second.pid
    assert not any((disk / "home" / "artifacts").exists() for disk in (parts.root / "disks").iterdir())


def test_file_that_the_plan_left_beside_it_is_there_at_the_apply_elsewhere(site: Site, parts: Parts) -> None:
    first = parts.worker("first", engine=str(FAKE))
    workspace = site.workspace(state_backend="local")
    script = {
        "resources": [{"name": "a", "input": "1"}],
        "outputs": {},
        "script": {
            "plan": [{"write": ["build/package.zip", "left by the plan"]}],
            "apply": [{"read": "build/package.zip"}],
        },
    }
    plan = site.planned(workspace, {"fake-engine.json": json.dumps(script), "main.tf": ""})
    planned_and_applied_elsewhere(site, parts, plan, first, engine=str(FAKE))
    apply = site.run(plan)["child_run_id"]
    wait_until("the apply's log shows the file", lambda: "left by the plan" in site.log(apply))
