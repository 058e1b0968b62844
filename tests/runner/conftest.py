"""Engines under one contract: the scripted one, and every real one that is found."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings, get_settings
from app.executor import discovery
from app.executor.cli_config import compose
from app.executor.gateway import Limits
from app.executor.options import ExecutorOptions
from app.executor.probe import sandbox_tools
from app.executor.retry import RetryPolicy
from app.runner.port import EngineRequest, RunnerJob
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort, apply_job, plan_job
from tests.support.registry import Registry, running_registry

FAKE = Path(__file__).parents[1] / "executor" / "fake_engine.py"


@dataclass(frozen=True)
class Thing:
    """One resource, in the words of every engine; the scripted one alone can await a file in its directory."""

    name: str
    input: str = "x"
    seconds: float = 0
    fails: bool = False
    awaits: str = ""


def configuration(*things: Thing, outputs: dict[str, str] | None = None, **script: Any) -> dict[str, str]:
    """Return files that mean the same to the scripted engine and to the real ones."""
    hcl = ""
    previous = ""
    for thing in things:
        hcl += f'resource "terraform_data" "{thing.name}" {{\n  input = {json.dumps(thing.input)}\n'
        if previous:
            # In order, as the scripted engine works.
            hcl += f"  depends_on = [terraform_data.{previous}]\n"
        if thing.seconds or thing.fails:
            command = f"sleep {thing.seconds}{' && false' if thing.fails else ''}"
            hcl += f'  provisioner "local-exec" {{\n    command = "{command}"\n  }}\n'
        hcl += "}\n"
        previous = "" if thing.fails else thing.name
    for name, value in (outputs or {}).items():
        hcl += f'output "{name}" {{\n  value = {json.dumps(value)}\n}}\n'
    fake = {"resources": [vars(thing) for thing in things], "outputs": outputs or {}, **script}
    return {"main.tf": hcl, "fake-engine.json": json.dumps(fake)}


@dataclass
class Bench:
    """One engine and the means to run jobs with it."""

    tool: discovery.Tool
    settings: Settings
    options: ExecutorOptions
    port: MemoryPort

    def plan(self, files: dict[str, str], **changes: Any) -> RunnerJob:
        """Return a job that plans the files with this engine."""
        request = EngineRequest() if self.settings.engine else EngineRequest.model_validate({"kind": self.tool.kind})
        return plan_job(self.port, files, engine=request, **changes)

    def run(self, job: RunnerJob) -> str:
        return Supervisor(job, self.port, self.settings, options=self.options).run()

    def planned(self, files: dict[str, str], **changes: Any) -> RunnerJob:
        """Plan, see that it worked, and return the job that applies the plan."""
        job = self.plan(files, **changes)
        status = self.run(job)
        assert status == "awaiting_approval", (self.port.failure, self.port.text)
        return apply_job(self.port, job)


BenchMaker = Callable[..., Bench]


@pytest.fixture
def make_bench(tmp_path: Path) -> BenchMaker:
    def make(tool: discovery.Tool | None = None, *, sandbox: str = "auto", **limits: Any) -> Bench:
        settings = get_settings().model_copy(
            update={"work_dir": tmp_path / "runs", "engine": FAKE if tool is None else None, "sandbox": sandbox}
        )
        options = ExecutorOptions(
            tools=sandbox_tools(settings.sandbox),
            cli_config=compose(None, None),
            limits=Limits(**{"timeout_seconds": 120, "grace_seconds": 60, **limits}),
            retry=RetryPolicy(attempts=3, first_seconds=0.01),
        )
        return Bench(tool or discovery.find_engine(settings), settings, options, MemoryPort())

    return make


def _contract() -> list[Any]:
    found: list[Any] = [pytest.param(None, id="scripted")]
    found += [
        pytest.param(tool, id=tool.kind, marks=pytest.mark.engine) for tool in discovery.find_engines(get_settings())
    ]
    return found


@pytest.fixture(params=_contract())
def bench(request: pytest.FixtureRequest, make_bench: BenchMaker) -> Bench:
    """The contract: the scripted engine and each real one, in the sandbox where there is one."""
    return make_bench(request.param)


@pytest.fixture
def scripted(make_bench: BenchMaker) -> Bench:
    """The scripted engine alone."""
    return make_bench()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that engines trust."""
    with running_registry(tmp_path) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))
        yield running


@pytest.fixture
def fetching(tmp_path: Path) -> Settings:
    """Settings with a shared provider cache that is empty, and no rules of an operator."""
    return get_settings().model_copy(
        update={
            "work_dir": tmp_path / "runs",
            "terraform_plugin_cache_dir": tmp_path / "cache",
            "terraform_cli_config_file": None,
        }
    )
