"""What a start says when the artifact store can't be used, and what it costs those who keep files."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.core.artifacts import MARKER
from tests.support import object_stores
from tests.support.guards import spawning
from tests.support.object_stores import ObjectStore
from tests.support.parts import Parts, running_parts
from tests.support.server import SLUICE

pytestmark = [pytest.mark.e2e, pytest.mark.processes, pytest.mark.xdist_group("e2e-parts")]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_stores.running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def parts(real_database: str, redis_url: str, objects: ObjectStore) -> Iterator[Parts]:
    with running_parts(real_database, redis_url, **objects.environment) as running:
        yield running


@pytest.mark.parametrize("part", ["api", "worker"])
def test_start_with_wrong_credentials_is_refused_with_the_remedy(parts: Parts, objects: ObjectStore, part: str) -> None:
    assert objects.wrong is not None
    parts.settings |= {"SLUICE_ARTIFACTS_URL": objects.url, **objects.wrong}
    started = parts.start(part, str(SLUICE), part)
    assert started.process.wait(60) == 1
    said = started.log.read_text()
    assert "SLUICE_ARTIFACTS_URL" in said
    assert "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said
    assert "Traceback" not in said
    assert objects.environment["AWS_SECRET_ACCESS_KEY"] not in said


def test_start_with_a_store_that_is_silent_serves_and_warns_but_works_on_nothing(parts: Parts) -> None:
    parts.settings["SLUICE_ARTIFACTS_URL"] = "s3://artifacts?region=eu-west-1&endpoint=http://127.0.0.1:9"
    api = parts.api()
    assert "sluice: warning: The artifact store s3://artifacts" in api.log.read_text()
    assert httpx.get(f"{parts.url}/readyz", trust_env=False).status_code == 200
    worker = parts.start("worker", str(SLUICE), "worker")
    assert worker.process.wait(90) == 1
    assert "SLUICE_ARTIFACTS_URL" in worker.log.read_text()


@pytest.mark.parametrize("part", ["api", "worker"])
def test_start_at_the_place_of_another_installation_is_refused_with_the_remedy(
    parts: Parts, tmp_path: Path, part: str
) -> None:
    (tmp_path / MARKER).write_text("inst-of-others\n")
    parts.settings["SLUICE_ARTIFACTS_URL"] = str(tmp_path)
    started = parts.start(part, str(SLUICE), part)
    assert started.process.wait(60) == 1
    said = started.log.read_text()
    assert "belongs to another installation (inst-of-others;" in said
    assert "Name a place of its own with SLUICE_ARTIFACTS_URL." in said
    assert "delete its object .installation" in said
    assert "Traceback" not in said
    assert (tmp_path / MARKER).read_text() == "inst-of-others\n"


def test_start_with_an_address_that_is_none_names_the_setting(parts: Parts) -> None:
    parts.settings["SLUICE_ARTIFACTS_URL"] = "ftp://host/artifacts"
    started = parts.start("worker", str(SLUICE), "worker")
    assert started.process.wait(60) == 1
    assert "SLUICE_ARTIFACTS_URL: should begin with file://, s3://, gs:// or az://" in started.log.read_text()


def test_who_keeps_files_never_loads_the_object_stores_library() -> None:
    code = (
        "import sys, app.main, app.runs.port, app.core.artifacts as a; a.artifact_store().check(); "
        "sys.exit('obstore' in sys.modules)"
    )
    with spawning("a process whose modules are looked at"):
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
