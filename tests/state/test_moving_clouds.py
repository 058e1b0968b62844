"""Migration to a cloud's storage and back, and a rollback there, with real engines and every cloud on loopback."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.canonical import is_same_document
from app.core.db import unit_of_work
from app.executor.discovery import Tool
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.schemas import VariableIn
from tests.factories.scene import new_scene
from tests.state.managed import quarantined, versions
from tests.state.test_backend_engines import configure
from tests.state.test_cloud_backends import cloud
from tests.state.test_moving_engines import TWO, api, applied, backend_of, changes_nothing, newest
from tests.support.clouds import Cloud

pytestmark = [pytest.mark.clouds, pytest.mark.engine, pytest.mark.processes, pytest.mark.slow]
__all__ = ["api", "cloud"]
VERSION = "terraform_version"


# s3 has tests of its own (test_moving_s3).
@pytest.mark.parametrize("cloud", ["azurerm", pytest.param("gcs", marks=pytest.mark.gcs)], indirect=True)
def test_state_goes_to_the_cloud_is_rolled_back_there_and_comes_back(
    cloud: Cloud, api: str, engine_tool: Tool, tmp_path: Path
) -> None:
    scene = new_scene(state_backend="managed")
    variables: dict[str, Any] = {**cloud.environment, **cloud.secrets}
    with unit_of_work() as session:
        for key, value in variables.items():
            body = VariableIn(value=value, is_sensitive=key in cloud.secrets)
            workspaces.put_variable(session, scene.admin, scene.workspace.id, "env", key, body)
    for what in ("one", "two"):
        configure(scene, TWO % what)
        applied(scene, scene.request(), engine_tool, tmp_path)
    first, second = (row for row in versions(scene) if row.kind == "applied")
    before = newest(scene)

    applied(scene, scene.migrate(cloud.backend, **cloud.settings), engine_tool, tmp_path)
    assert backend_of(scene) == cloud.backend
    assert is_same_document(cloud.read(), before, besides=[VERSION]), "lineage and serial, too"
    assert changes_nothing(scene, engine_tool, tmp_path)

    applied(scene, scene.rollback(first.id), engine_tool, tmp_path)
    with unit_of_work() as session:
        old = state.content(session, scene.organization_id, first.id)
    assert is_same_document(cloud.read(), old, besides=[VERSION, "serial"])
    assert is_same_document(cloud.read(), newest(scene))
    assert json.loads(cloud.read())["serial"] > second.serial

    lying = cloud.read()
    applied(scene, scene.migrate("local"), engine_tool, tmp_path)
    assert backend_of(scene) == "local"
    assert is_same_document(newest(scene), lying, besides=[VERSION])
    assert cloud.read() == lying, "the old state stays where it is"
    assert quarantined(scene) == []
