"""What `init` made for a configuration is used again, and `init` runs again when it does not fit any more."""

from pathlib import Path

import pytest

from app.core.settings import Settings, get_settings
from app.executor import prepared
from app.executor.discovery import Tool
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort, apply_job, engine_request, plan_job

pytestmark = [pytest.mark.engine, pytest.mark.processes]

FILES = {
    "main.tf": 'module "part" {\n  source = "./part"\n}\n',
    "part/main.tf": 'resource "terraform_data" "a" {\n  input = "x"\n}\n',
}
REUSED = "init is not needed again"
AGAIN = "init runs again"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return get_settings().model_copy(update={"work_dir": tmp_path / "runs"})


def planned(tool: Tool, settings: Settings, files: dict[str, str] | None = None, **changes: object) -> MemoryPort:
    port = MemoryPort()
    job = plan_job(port, files or FILES, engine=engine_request(tool.kind), **changes)
    assert Supervisor(job, port, settings).run() == "awaiting_approval", (port.failure, port.text)
    return port


def test_supervisor_second_plan_of_a_configuration_needs_no_init(engine_tool: Tool, settings: Settings) -> None:
    first = planned(engine_tool, settings)
    second = planned(engine_tool, settings)

    assert REUSED not in first.text
    assert REUSED in second.text
    assert "Initializing modules" not in second.text
    assert first.plan is not None
    assert second.plan is not None
    assert second.plan.counts == first.plan.counts


def test_supervisor_apply_is_prepared_by_the_plan_s_init(engine_tool: Tool, settings: Settings) -> None:
    port = MemoryPort()
    job = plan_job(port, FILES, engine=engine_request(engine_tool.kind))
    assert Supervisor(job, port, settings).run() == "awaiting_approval", (port.failure, port.text)
    port.records.clear()

    assert Supervisor(apply_job(port, job), port, settings).run() == "applied", (port.failure, port.text)

    assert REUSED in port.text
    assert port.states


@pytest.mark.parametrize("damage", ["without its backend", "without its modules"])
def test_supervisor_prepared_that_does_not_fit_is_made_again(
    engine_tool: Tool, settings: Settings, damage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = prepared.collect

    def damaged(module: Path, *arguments: object) -> prepared.Prepared | None:
        copy = tmp_path / "copy"
        (copy / ".terraform").mkdir(parents=True, exist_ok=True)
        lost = "terraform.tfstate" if damage == "without its backend" else "modules.json"
        for path in (module / ".terraform").rglob("*"):
            if path.is_file() and path.name != lost:
                target = copy / path.relative_to(module)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        return whole(copy, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(prepared, "collect", damaged)
    planned(engine_tool, settings)
    monkeypatch.setattr(prepared, "collect", whole)

    second = planned(engine_tool, settings)
    third = planned(engine_tool, settings)

    assert AGAIN in second.text
    assert second.plan is not None
    assert second.plan.counts.add == 1
    assert AGAIN not in third.text
    assert REUSED in third.text


@pytest.mark.parametrize(
    "changes", [{"workspace_id": "ws-another"}, {"organization_id": "org-another"}], ids=["workspace", "organization"]
)
def test_supervisor_another_s_init_is_never_used(
    engine_tool: Tool, settings: Settings, changes: dict[str, str]
) -> None:
    planned(engine_tool, settings)

    assert REUSED not in planned(engine_tool, settings, **changes).text


def test_supervisor_changed_configuration_is_initialized(engine_tool: Tool, settings: Settings) -> None:
    planned(engine_tool, settings)

    other = planned(engine_tool, settings, {**FILES, "part/main.tf": FILES["part/main.tf"] + "# more\n"})

    assert REUSED not in other.text


@pytest.mark.parametrize("change", [{"sandbox": "off"}, {"reuse_init": False}], ids=["no sandbox", "switched off"])
def test_supervisor_init_is_not_kept_where_it_must_not_be(
    engine_tool: Tool, settings: Settings, change: dict[str, object]
) -> None:
    changed = settings.model_copy(update=change)
    planned(engine_tool, changed)

    assert REUSED not in planned(engine_tool, changed).text
    assert not (tmp := changed.work_dir or Path()).joinpath(".prepared").exists(), tmp


def test_supervisor_plan_that_fails_for_its_own_reason_is_not_run_twice(engine_tool: Tool, settings: Settings) -> None:
    planned(engine_tool, settings)
    port = MemoryPort()
    broken = {**FILES, "part/main.tf": 'resource "terraform_data" "a" {\n  input = file("missing")\n}\n'}
    planned_before = plan_job(port, broken, engine=engine_request(engine_tool.kind))
    for _ in range(2):
        port.records.clear()
        assert Supervisor(planned_before, port, settings).run() == "errored"

    assert REUSED in port.text
    assert AGAIN not in port.text
