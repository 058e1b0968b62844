"""When a workspace's state backend may change."""

import pytest

from app.workspaces.errors import StateBackendFixed
from tests.factories.scene import new_scene

pytestmark = pytest.mark.usefixtures("session")
S3 = {"bucket": "states", "key": "a.tfstate", "region": "eu-central-1"}


def test_change_backend_without_a_state_is_allowed_and_reaches_the_next_job() -> None:
    scene = new_scene(state_backend="managed")
    scene.change(state_backend="s3", state_backend_settings=S3)
    job = scene.claimed(scene.request())
    assert job.expected_backend == "s3"
    assert job.backend_settings == {**S3, "encrypt": True, "use_lockfile": True}
    assert job.backend_environment == {}
    assert any('key = "a.tfstate"' in text for text in job.generated_files.values())


def test_change_backend_of_a_workspace_with_a_state_is_refused_with_the_remedy() -> None:
    scene = new_scene(state_backend="managed")
    _, job = scene.applying()
    scene.apply_to_end(job)
    with pytest.raises(StateBackendFixed, match="sluice state migrate"):
        scene.change(state_backend="s3", state_backend_settings=S3)
    scene.change(state_backend="managed", description="nothing moves")


def test_change_backend_beside_a_living_run_is_refused() -> None:
    scene = new_scene(state_backend="managed")
    waiting = scene.at_gate()
    with pytest.raises(StateBackendFixed, match=waiting):
        scene.change(state_backend="local")
    scene.discard(waiting)
    scene.change(state_backend="local")
