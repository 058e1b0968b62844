"""Migration to and from `s3`, and a rollback there, with real engines against an S3 API on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.canonical import is_same_document
from app.core.db import unit_of_work
from app.executor.discovery import Tool
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.schemas import VariableIn
from tests.factories.scene import Scene, new_scene
from tests.state.managed import quarantined, versions
from tests.state.test_backend_engines import configure, execute
from tests.state.test_moving_engines import TWO, api, applied, backend_of, changes_nothing, newest
from tests.support import aws

pytestmark = [pytest.mark.engine, pytest.mark.processes]
__all__ = ["api"]
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request, Signature=test"}


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[str]:
    with aws.running_api(tmp_path / "s3.log") as url:
        httpx.put(f"{url}/states").raise_for_status()
        yield url


@pytest.fixture
def scene(api: str) -> Scene:
    made = new_scene(state_backend="local")
    with unit_of_work() as session:
        for key, value in aws.environment("").items():
            if key.startswith(("AWS_A", "AWS_S")):
                body = VariableIn(value=value, is_sensitive=True)
                workspaces.put_variable(session, made.admin, made.workspace.id, "env", key, body)
    return made


def settings(url: str, key: str = "prod.tfstate") -> dict[str, Any]:
    return {
        "bucket": "states",
        "key": key,
        "region": "eu-west-1",
        "endpoints": {"s3": url},
        "use_path_style": True,
        "encrypt": False,
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_requesting_account_id": True,
    }


def in_bucket(url: str, key: str = "prod.tfstate") -> bytes:
    found = httpx.get(f"{url}/states/{key}", headers=SIGNED)
    assert found.status_code == 200, found.text
    return found.content


def test_state_goes_to_s3_and_comes_back(scene: Scene, s3: str, engine_tool: Tool, tmp_path: Path) -> None:
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    before = newest(scene)

    applied(scene, scene.migrate("s3", **settings(s3)), engine_tool, tmp_path)
    assert backend_of(scene) == "s3"
    assert is_same_document(in_bucket(s3), before, besides=["terraform_version"]), "lineage and serial, too"

    assert changes_nothing(scene, engine_tool, tmp_path)

    applied(scene, scene.migrate("managed"), engine_tool, tmp_path)
    assert backend_of(scene) == "managed"
    assert is_same_document(newest(scene), before, besides=["terraform_version"])
    assert is_same_document(in_bucket(s3), before, besides=["terraform_version"]), "the old state stays where it is"
    assert changes_nothing(scene, engine_tool, tmp_path)

    configure(scene, TWO % "two")
    applied(scene, scene.request(), engine_tool, tmp_path)
    applied(scene, scene.migrate("s3", **settings(s3)), engine_tool, tmp_path)
    assert is_same_document(in_bucket(s3), newest(scene), besides=["terraform_version"]), "over the earlier copy"
    assert quarantined(scene) == []


def test_rollback_in_s3_is_in_the_bucket_and_among_the_versions(
    scene: Scene, s3: str, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    first = versions(scene)[-1]
    configure(scene, TWO % "two")
    applied(scene, scene.request(), engine_tool, tmp_path)
    applied(scene, scene.migrate("s3", **settings(s3)), engine_tool, tmp_path)
    moved = json.loads(in_bucket(s3))

    applied(scene, scene.rollback(first.id), engine_tool, tmp_path)
    with unit_of_work() as session:
        old = state.content(session, scene.organization_id, first.id)
    now = in_bucket(s3)
    assert is_same_document(now, old, besides=["serial", "terraform_version"])
    assert json.loads(now)["serial"] > moved["serial"]
    assert is_same_document(now, newest(scene))
    assert versions(scene)[-1].kind == "rolled_back"
    applied(scene, scene.request(), engine_tool, tmp_path)
    assert is_same_document(in_bucket(s3), newest(scene))


def test_bucket_that_holds_another_state_is_left_alone(
    scene: Scene, s3: str, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    other = newest(scene).replace(versions(scene)[-1].lineage.encode(), b"11111111-0000-4000-8000-000000000000")
    httpx.put(f"{s3}/states/prod.tfstate", content=other, headers=SIGNED).raise_for_status()
    run_id = scene.migrate("s3", **settings(s3))
    execute(scene, run_id, engine_tool, tmp_path)
    run = scene.run(run_id)
    assert run.status == "errored"
    assert run.failure is not None
    assert run.failure["code"] == "migration_target_taken"
    assert in_bucket(s3) == other
    assert backend_of(scene) == "local"


def test_state_that_moved_in_the_bucket_supersedes_the_migration(
    scene: Scene, s3: str, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    applied(scene, scene.migrate("s3", **settings(s3)), engine_tool, tmp_path)
    run_id = scene.migrate("managed")
    execute(scene, run_id, engine_tool, tmp_path)
    scene.approve(run_id)
    document = json.loads(in_bucket(s3))
    document["serial"] += 1
    httpx.put(f"{s3}/states/prod.tfstate", content=json.dumps(document), headers=SIGNED).raise_for_status()
    execute(scene, scene.child(run_id), engine_tool, tmp_path)
    assert scene.status(run_id) == "superseded", scene.run(run_id).failure
    assert backend_of(scene) == "s3"
