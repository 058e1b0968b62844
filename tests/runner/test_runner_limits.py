"""Runs that go over a limit: a typed error that names the setting, and the state kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings, get_settings
from app.executor import probe
from app.executor.discovery import Tool
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort, apply_job, engine_request, plan_job

pytestmark = [pytest.mark.engine, pytest.mark.processes]

FIRST = 'resource "terraform_data" "first" {\n  input = "kept"\n}\n'
HUNGRY = "x = bytearray(600_000_000); [x.__setitem__(i, 1) for i in range(0, len(x), 4096)]; time.sleep(60)"
BOMB = (
    "signal.signal(2, signal.SIG_DFL); [os.fork() or time.sleep(60) or os._exit(0) for _ in range(240)]; time.sleep(60)"
)
WRITER = "[open(f'big{n}', 'wb').write(bytes(9_000_000)) for n in range(9)]; time.sleep(60)"
Applied = Callable[..., MemoryPort]


@pytest.fixture(params=["auto", "off"])
def applied(request: pytest.FixtureRequest, engine_tool: Tool, tmp_path: Path) -> Applied:
    def run(code: str, **limits: Any) -> MemoryPort:
        settings: Settings = get_settings().model_copy(
            update={"sandbox": request.param, "work_dir": tmp_path / "runs"} | limits
        )
        command = json.dumps(f'exec /usr/bin/python3 -c "import os, signal, time; {code}"')
        second = (
            'resource "terraform_data" "second" {\n  depends_on = [terraform_data.first]\n'
            f'  provisioner "local-exec" {{\n    command = {command}\n  }}\n}}\n'
        )
        port = MemoryPort()
        job = plan_job(port, {"main.tf": FIRST + second}, engine=engine_request(engine_tool.kind))
        assert Supervisor(job, port, settings).run() == "awaiting_approval", (port.failure, port.text)
        assert Supervisor(apply_job(port, job), port, settings).run() == "errored", port.text
        return port

    return run


@pytest.mark.parametrize(
    ("code", "limits", "expected", "setting"),
    [
        (HUNGRY, {"engine_memory_mb": 400}, "engine_out_of_memory", "SLUICE_ENGINE_MEMORY_MB"),
        (WRITER, {"engine_disk_mb": 40}, "engine_out_of_disk", "SLUICE_ENGINE_DISK_MB"),
    ],
    ids=["memory", "disk"],
)
def test_apply_over_a_limit_is_a_typed_error_and_keeps_its_state(
    applied: Applied, code: str, limits: dict[str, int], expected: str, setting: str
) -> None:
    port = applied(code, **limits)
    assert port.failure is not None
    assert (port.failure.code, port.failure.phase) == (expected, "applying"), port.failure
    assert setting in port.failure.message
    assert setting in port.text
    assert port.failure.resources_applied == 1
    assert b'"kept"' in port.states[-1][1]
    assert port.proof is not None


def test_apply_with_too_many_processes_says_which_setting(applied: Applied) -> None:
    port = applied(BOMB, engine_processes=120)
    assert port.failure is not None
    assert port.failure.phase == "applying"
    assert "SLUICE_ENGINE_PROCESSES" in port.failure.message, port.failure
    assert b'"kept"' in port.states[-1][1]


def test_required_sandbox_that_is_not_there_is_a_typed_error(
    engine_tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "probe", lambda: probe.Probe(None, "bubblewrap (bwrap) is not installed"))
    settings = get_settings().model_copy(update={"sandbox": "required", "work_dir": tmp_path / "runs"})
    port = MemoryPort()
    job = plan_job(port, {"main.tf": FIRST}, engine=engine_request(engine_tool.kind))
    assert Supervisor(job, port, settings).run() == "errored"
    assert port.failure is not None
    assert port.failure.code == "sandbox_unavailable"
    assert port.proof is not None
    assert port.proof.kind == "never_started"
