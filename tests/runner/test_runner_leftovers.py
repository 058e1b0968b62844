import json
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict
from app.core.settings import Settings, get_settings
from app.executor.engine import Site
from app.executor.files import Owner
from app.runner import workdir
from app.runner.leftovers import Claim, recover
from app.runner.port import RunnerJob, StateAnswer
from tests.runner.memory import MemoryPort, plan_job

STATE = json.dumps({"version": 4, "serial": 3, "lineage": "l", "resources": []}).encode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return get_settings().model_copy(update={"work_dir": tmp_path / "runs"})


def laid_out(settings: Settings, port: MemoryPort, kind: str, **changes: Any) -> tuple[Site, RunnerJob]:
    job = plan_job(port, {"main.tf": ""}, kind=kind, run_id=f"run-{kind}", module_path="live", **changes)
    site = workdir.make(settings.work_dir or Path(), job.run_id, module_path="live", owner=Owner())
    site.module.mkdir()
    return site, job


def test_state_of_a_dead_apply_is_handed_in_and_its_directory_goes(settings: Settings) -> None:
    port = MemoryPort()
    site, job = laid_out(settings, port, "apply")
    Claim(site, job).release()
    (site.module / "terraform.tfstate").write_bytes(STATE)
    (site.module / "errored.tfstate").write_bytes(STATE)
    assert recover(settings, port, settle_seconds=0) == ["run-apply"]
    assert port.states == [("errored", STATE), ("applied", STATE)]
    assert not site.root.exists()


def test_directory_that_can_t_be_dealt_with_keeps_no_other_s_state(settings: Settings, tmp_path: Path) -> None:
    port = MemoryPort()
    job = plan_job(port, {"main.tf": ""}, kind="apply", run_id="run-a", module_path="live")
    hostile = workdir.make(settings.work_dir or Path(), job.run_id, module_path="live", owner=Owner())
    Claim(hostile, job).release()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "errored.tfstate").write_bytes(STATE)
    (hostile.work / "live").symlink_to(elsewhere)
    site, other = laid_out(settings, port, "apply")
    Claim(site, other).release()
    (site.module / "errored.tfstate").write_bytes(STATE)
    assert recover(settings, port, settle_seconds=0) == ["run-apply"]
    assert port.states == [("errored", STATE)], "what lies behind the link is nobody's to hand in"


def test_living_run_is_left_alone(settings: Settings) -> None:
    port = MemoryPort()
    site, job = laid_out(settings, port, "apply")
    claim = Claim(site, job)
    (site.module / "terraform.tfstate").write_bytes(STATE)
    assert recover(settings, port, settle_seconds=0) == []
    assert port.states == []
    assert site.root.exists()
    claim.release()


def test_state_that_the_run_was_given_is_not_handed_in_again(settings: Settings) -> None:
    port = MemoryPort()
    site, job = laid_out(settings, port, "apply", state=port.store("state", STATE))
    Claim(site, job).release()
    (site.module / "terraform.tfstate").write_bytes(STATE)
    assert recover(settings, port, settle_seconds=0) == ["run-apply"]
    assert port.states == []


def test_dead_plan_is_only_removed(settings: Settings) -> None:
    port = MemoryPort()
    site, job = laid_out(settings, port, "plan")
    Claim(site, job).release()
    (site.module / "terraform.tfstate").write_bytes(STATE)
    assert recover(settings, port, settle_seconds=0) == ["run-plan"]
    assert port.states == []
    assert not site.root.exists()


def test_state_that_is_refused_stays_on_disk(settings: Settings) -> None:
    port = MemoryPort()
    site, job = laid_out(settings, port, "apply")
    Claim(site, job).release()
    (site.module / "terraform.tfstate").write_bytes(STATE)

    def refuse(*_: Any) -> StateAnswer:
        raise Conflict("no")

    port.put_state = refuse  # type: ignore[method-assign]
    assert recover(settings, port, settle_seconds=0) == []
    assert (site.module / "terraform.tfstate").exists()


def test_state_that_was_half_written_is_no_state(settings: Settings) -> None:
    port = MemoryPort()
    site, job = laid_out(settings, port, "apply")
    Claim(site, job).release()
    (site.module / "terraform.tfstate").write_bytes(STATE[:20])
    assert recover(settings, port, settle_seconds=0) == ["run-apply"]
    assert port.states == []


def test_nothing_is_recovered_where_nothing_is(settings: Settings) -> None:
    assert recover(settings, MemoryPort(), settle_seconds=0) == []
