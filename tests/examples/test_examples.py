"""What `examples/` and `modules/` hold works: pushed, rendered and planned by the real engines."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.client.packing import pack
from app.codegen import service as codegen
from app.configurations import service as configurations
from app.core.settings import get_settings
from app.executor.discovery import Tool
from app.specs import service as specs
from app.specs.schemas import StackIn, parse_spec, root_directory
from app.workspaces.schemas import ResolvedVariable
from tests.support.guards import ROOT, spawning
from tests.workspaces.tenant import new_tenant

STACKS = sorted((ROOT / "examples" / "stacks").iterdir())
SECRET = ResolvedVariable(
    version_id="varver-1", key="media_access_key", kind="terraform", value="k3y-planted", sensitive=True, hcl=False
)


def engine(tool: Tool, directory: Path, *arguments: str) -> str:
    with spawning("the real engine plans an example"):
        done = subprocess.run(
            [tool.path, *arguments],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={"PATH": "/usr/bin:/bin", "HOME": str(directory), "CHECKPOINT_DISABLE": "1"},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def plan(tool: Tool, directory: Path) -> dict[str, Any]:
    engine(tool, directory, "init", "-input=false")
    engine(tool, directory, "plan", "-input=false", "-out=tfplan.binary")
    made: dict[str, Any] = json.loads(engine(tool, directory, "show", "-json", "tfplan.binary"))
    return made


def lay_out(directory: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)


@pytest.fixture
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    own = get_settings().model_copy(update={"modules_dir": ROOT / "modules"})
    monkeypatch.setattr(configurations, "get_settings", lambda: own)


@pytest.mark.engine
@pytest.mark.usefixtures("_own_modules")
@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_example_stack_pushed_and_rendered_is_planned_by_the_engine(
    session: Session, engine_tool: Tool, tmp_path: Path, path: Path
) -> None:
    actor = new_tenant(session)
    pushed = specs.persist_spec(parse_spec(path.read_bytes()), actor=actor, session=session)
    spec = pushed.version.spec()
    found = configurations.for_spec(session, actor, spec)
    variables = codegen.run_variables(spec, [SECRET])
    module = configurations.interface(found, root_directory(spec))
    lay_out(tmp_path, {entry.path: entry.data for entry in configurations.files(found)})
    rendered = codegen.render(spec, module=module, variables=variables)
    lay_out(tmp_path, {name: text.encode() for name, text in rendered.items()})
    values = {variable.key: variable.value for variable in variables}
    (tmp_path / "v.auto.tfvars.json").write_text(json.dumps(values))
    made = plan(engine_tool, tmp_path)
    buckets = [change for change in made["resource_changes"] if ".bucket[" in change["address"]]
    assert len(buckets) == len(spec.inputs["buckets"])
    assert made["planned_values"]["outputs"]["writer_key"]["sensitive"] is True
    writer = next(change for change in made["resource_changes"] if change["address"].endswith(".writer"))
    if spec.secret_mappings:
        assert writer["change"]["after"]["input"]["access_key"] == SECRET.value
        assert writer["change"]["after_sensitive"]["input"]["access_key"] is True


@pytest.mark.engine
def test_demo_uploaded_and_planned_creates_13_resources_and_hides_the_password(
    session: Session, engine_tool: Tool, tmp_path: Path
) -> None:
    actor = new_tenant(session)
    packed = pack(ROOT / "examples" / "demo")
    stored = configurations.store_archive(session, actor, packed.data, module_path="")
    assert "README.md" not in {entry.path for entry in configurations.files(stored)}
    spec = parse_spec(b"name: demo").with_configuration(stored.digest)
    version = specs.add_detached_version(
        session, actor, specs.create_stack(session, actor, StackIn(name="demo")).id, spec
    )
    lay_out(tmp_path, {entry.path: entry.data for entry in configurations.files(stored)})
    lay_out(tmp_path, {name: text.encode() for name, text in codegen.render(version.spec()).items()})
    made = plan(engine_tool, tmp_path)
    created = [change for change in made["resource_changes"] if change["change"]["actions"] == ["create"]]
    assert len(created) == len(made["resource_changes"]) == 13
    user = next(change for change in created if change["address"] == "module.database.terraform_data.user")
    assert user["change"]["after_sensitive"]["input"]["password"] is True
    assert sorted(made["planned_values"]["outputs"]) == ["api_url", "database_endpoint", "database_url", "subnet_ids"]
