"""The shared provider cache, with real engines and a registry on loopback: who fills it, and who can't poison it."""

import json
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.settings import Settings, get_settings
from app.executor.discovery import Tool
from app.executor.plugin_cache import PLATFORM, PluginCache
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort, engine_request, plan_job
from tests.support.guards import spawning
from tests.support.registry import Registry, running_registry

pytestmark = [pytest.mark.engine, pytest.mark.processes, pytest.mark.provider]

REUSED = "init is not needed again"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with running_registry(tmp_path) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return get_settings().model_copy(
        update={
            "work_dir": tmp_path / "runs",
            "terraform_plugin_cache_dir": tmp_path / "cache",
            "terraform_cli_config_file": None,
        }
    )


@pytest.fixture
def cache(settings: Settings) -> PluginCache:
    assert settings.terraform_plugin_cache_dir is not None
    return PluginCache(settings.terraform_plugin_cache_dir)


def needs(*providers: str, **files: str) -> dict[str, str]:
    """Return a configuration that needs providers, each `SOURCE VERSIONS`, and has one resource that needs none."""
    required = {}
    for number, provider in enumerate(providers):
        source, _, version = provider.partition(" ")
        required[f"p{number}"] = {"source": source, **({"version": version} if version else {})}
    document = {
        "terraform": {"required_providers": required},
        "resource": {"terraform_data": {"a": {"input": "x"}}},
    }
    return {"main.tf.json": json.dumps(document), **files}


def planned(tool: Tool, settings: Settings, files: dict[str, str], **changes: object) -> MemoryPort:
    port = MemoryPort()
    job = plan_job(port, files, engine=engine_request(tool.kind), **changes)
    assert Supervisor(job, port, settings).run() == "awaiting_approval", (port.failure, port.text)
    return port


def forked(run: Callable[[int], None], number: int) -> int:
    """Run a supervisor in a process of its own, as a worker does; return its id."""
    with spawning("supervisors are processes"):
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            run(number)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def ended(pids: list[int]) -> list[int]:
    """Wait for processes; return their exit codes, negative for a signal."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def packages(cache: PluginCache) -> list[str]:
    return sorted(str(path.parent.relative_to(cache.packages)) for path in cache.packages.rglob("LICENSE"))


def litter(cache: PluginCache) -> list[Path]:
    return [*cache.packages.parent.joinpath("staging").iterdir(), *cache.packages.rglob(".*")]


def test_supervisor_empty_cache_is_filled_once_and_linked_to(
    engine_tool: Tool, settings: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    registry.add("demo", "2.0.0")

    first = planned(engine_tool, settings, needs(f"{demo} ~> 1.0"))
    second = planned(engine_tool, settings, needs(f"{demo} ~> 1.0"), workspace_id="ws-another")
    third = planned(engine_tool, settings, needs(f"{demo} ~> 1.0"))

    assert f"Fetched {demo} 1.2.3" in first.text
    assert packages(cache) == [f"{demo}/1.2.3/{PLATFORM}"]
    assert registry.downloads() == {registry.archive_name("demo", "1.2.3"): 1}
    assert "Fetched" not in second.text
    assert REUSED not in second.text
    assert REUSED in third.text
    assert litter(cache) == []


def test_supervisor_twenty_runs_fill_an_empty_cache_at_once(
    engine_tool: Tool, settings: Settings, registry: Registry, cache: PluginCache
) -> None:
    sources = [registry.add(name, "1.0.0") for name in ("one", "two", "three")]
    registry.delay_seconds = 0.2

    def run(number: int) -> None:
        planned(engine_tool, settings, needs(*sources), workspace_id=f"ws-{number}", run_id=f"run-{number}")

    assert ended([forked(run, number) for number in range(20)]) == [0] * 20

    assert registry.downloads() == {registry.archive_name(name, "1.0.0"): 1 for name in ("one", "two", "three")}
    assert len(packages(cache)) == 3
    assert cache.check_all() == []
    assert litter(cache) == []
