"""The shared provider cache, with real engines and a registry on loopback: who fills it, and who can't poison it."""

import io
import json
import os
import signal
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.executor.cli_config import rules_identity
from app.executor.discovery import Tool
from app.executor.plugin_cache import PLATFORM, PluginCache
from app.runner.supervisor import Supervisor
from tests.runner.fetching import needs, planned, ran
from tests.runner.memory import MemoryPort, apply_job, engine_request, plan_job
from tests.support.guards import spawning
from tests.support.registry import Registry, fail_times, status
from tests.support.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.processes, pytest.mark.provider]

REUSED = "init is not needed again"


@pytest.fixture
def cache(fetching: Settings) -> PluginCache:
    assert fetching.terraform_plugin_cache_dir is not None
    return PluginCache(fetching.terraform_plugin_cache_dir)


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


def lock_file_of(port: MemoryPort) -> str:
    """Return the lock file that a plan ended with."""
    assert port.plan is not None
    assert port.plan.lock_file is not None
    return port.artifacts[port.plan.lock_file.key].decode()


def packages(cache: PluginCache) -> list[str]:
    return sorted(str(path.parent.relative_to(cache.packages)) for path in cache.packages.rglob("LICENSE"))


def litter(cache: PluginCache) -> list[Path]:
    return [*cache.packages.parent.joinpath("staging").iterdir(), *cache.packages.rglob(".*")]


def test_supervisor_empty_cache_is_filled_once_and_linked_to(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    registry.add("demo", "2.0.0")

    first = planned(engine_tool, fetching, needs(f"{demo} ~> 1.0"))
    second = planned(engine_tool, fetching, needs(f"{demo} ~> 1.0"), workspace_id="ws-another")
    third = planned(engine_tool, fetching, needs(f"{demo} ~> 1.0"))

    assert f"Fetched {demo} 1.2.3" in first.text
    assert packages(cache) == [f"{demo}/1.2.3/{PLATFORM}"]
    assert registry.downloads() == {registry.archive_name("demo", "1.2.3"): 1}
    assert "Fetched" not in second.text
    assert REUSED not in second.text
    assert REUSED in third.text
    assert litter(cache) == []


def test_supervisor_cached_and_locked_providers_need_no_registry(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    first = planned(engine_tool, fetching, needs(f"{demo} ~> 1.0"))
    registry.faults.append(fail_times(1000, "/", status(503)))
    registry.hits.clear()

    locked = {".terraform.lock.hcl": lock_file_of(first)}
    planned(engine_tool, fetching, needs(f"{demo} ~> 1.0", **locked), workspace_id="ws-another")

    assert not registry.hits


def test_supervisor_lock_file_of_another_platform_is_completed(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    # As a person on another system commits it: that system's checksum, and those of every archive.
    archives = [f"zh:{line.split()[0].decode()}" for line in registry.sums("acme", "demo", "1.2.3").splitlines()]
    hashes = "".join(f'    "{found}",\n' for found in sorted(["h1:" + "A" * 43 + "=", *archives]))
    lock = f'provider "{demo}" {{\n  version     = "1.2.3"\n  constraints = "1.2.3"\n  hashes = [\n{hashes}  ]\n}}\n'
    port = MemoryPort()
    files = needs(f"{demo} 1.2.3", **{".terraform.lock.hcl": lock})
    job = plan_job(port, files, engine=engine_request(engine_tool.kind))

    assert Supervisor(job, port, fetching).run() == "awaiting_approval", (port.failure, port.text)
    assert Supervisor(apply_job(port, job), port, fetching).run() == "applied", (port.failure, port.text)

    found = cache.find(demo, "1.2.3")
    assert found is not None
    assert f'"{found.h1}"' in lock_file_of(port)
    assert registry.downloads() == {registry.archive_name("demo", "1.2.3"): 1}


def test_supervisor_configuration_that_brings_its_providers_uses_those_and_shares_nothing(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    own = f"terraform.d/plugins/{demo}/1.2.3/{PLATFORM}/terraform-provider-demo"
    hostile = needs(f"{demo} 1.2.3", **{own: "#!/bin/sh\necho mine\n"})

    status_, port = ran(engine_tool, fetching, hostile)

    assert status_ == "errored"
    assert port.failure is not None
    assert port.failure.phase == "planning"
    assert packages(cache) == []
    planned(engine_tool, fetching, needs(f"{demo} 1.2.3"), workspace_id="ws-another")
    assert cache.check_all() == []


def test_supervisor_lock_file_with_false_checksums_fails_alone(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    hashes = "".join(f'    "{found}",\n' for found in ("h1:" + "A" * 43 + "=", "zh:" + "0" * 64))
    lock = f'provider "{demo}" {{\n  version     = "1.2.3"\n  constraints = "1.2.3"\n  hashes = [\n{hashes}  ]\n}}\n'

    for _ in range(2):
        state, port = ran(engine_tool, fetching, needs(f"{demo} 1.2.3", **{".terraform.lock.hcl": lock}))
        assert state == "errored"
        assert port.failure is not None
        assert "checksum" in port.failure.message
        assert "may pass" not in port.text

    assert cache.check_all() == []
    planned(engine_tool, fetching, needs(f"{demo} 1.2.3"), workspace_id="ws-another")


def test_supervisor_apply_that_writes_to_cache_and_providers_changes_nothing_for_others(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    attempts = [
        f"echo evil > {cache.packages}/{demo}/1.2.3/{PLATFORM}/terraform-provider-demo_v1.2.3",
        f"chmod -R u+w {cache.packages}",
        f"mkdir -p {cache.packages}/{demo}/9.9.9/{PLATFORM}",
        f"mv {cache.packages}/{demo} {cache.packages}/gone",
        f"ls {cache.packages.parent}/manifests && echo seen > seen",
        f"rm -rf .terraform/providers/{demo}/1.2.3/{PLATFORM}",
        f"mkdir -p .terraform/providers/{demo}/1.2.3/{PLATFORM}",
        f"echo evil > .terraform/providers/{demo}/1.2.3/{PLATFORM}/terraform-provider-demo_v1.2.3",
    ]
    script = "; ".join([*attempts, "test ! -e seen"])
    files = needs(f"{demo} 1.2.3")
    files["more.tf.json"] = json.dumps(
        {
            "resource": {
                "terraform_data": {"b": {"provisioner": {"local-exec": {"command": f"{script}; test ! -e seen"}}}}
            }
        }
    )
    port = MemoryPort()
    job = plan_job(port, files, engine=engine_request(engine_tool.kind))
    assert Supervisor(job, port, fetching).run() == "awaiting_approval", (port.failure, port.text)

    assert Supervisor(apply_job(port, job), port, fetching).run() == "applied", (port.failure, port.text)

    assert "Read-only file system" in port.text
    assert cache.check_all() == []
    assert packages(cache) == [f"{demo}/1.2.3/{PLATFORM}"]
    planned(engine_tool, fetching, needs(f"{demo} 1.2.3"), workspace_id="ws-another")


@pytest.mark.parametrize("knows_it", [True, False], ids=["kept init", "new workspace"])
def test_supervisor_damaged_package_is_set_aside_and_fetched_again(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache, knows_it: bool
) -> None:
    demo = registry.add("demo", "1.2.3")
    planned(engine_tool, fetching, needs(f"{demo} 1.2.3"))
    binary = cache.packages / demo / "1.2.3" / PLATFORM / "terraform-provider-demo_v1.2.3"
    binary.chmod(0o755)
    with binary.open("r+b") as file:
        file.seek(4096)
        file.write(b"rot")

    port = planned(engine_tool, fetching, needs(f"{demo} 1.2.3"), workspace_id="ws-1" if knows_it else "ws-another")

    assert f"Fetched {demo} 1.2.3" in port.text
    assert registry.downloads() == {registry.archive_name("demo", "1.2.3"): 2}
    assert cache.check_all() == []
    assert len(list(cache.packages.parent.joinpath("set-aside").iterdir())) == 1


def test_supervisor_killed_while_it_fetches_leaves_the_cache_intact(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    registry.delay_seconds = 3.0

    def run(_number: int) -> None:
        planned(engine_tool, fetching, needs(f"{demo} 1.2.3"))

    pid = forked(run, 0)
    until(lambda: bool(registry.downloads()))
    os.kill(pid, signal.SIGKILL)
    assert ended([pid]) == [-signal.SIGKILL]
    registry.delay_seconds = 0.0
    assert packages(cache) == []

    planned(engine_tool, fetching, needs(f"{demo} 1.2.3"), workspace_id="ws-another", run_id="run-2")

    assert packages(cache) == [f"{demo}/1.2.3/{PLATFORM}"]
    assert cache.check_all() == []
    assert litter(cache) == []


def test_supervisor_operators_network_mirror_fills_a_cache_of_its_own(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache, tmp_path: Path
) -> None:
    registry.add("demo", "1.2.3")
    rules = tmp_path / "cli.tfrc"
    rules.write_text(
        f'provider_installation {{\n  network_mirror {{\n    url = "https://{registry.host}/mirror/"\n  }}\n}}\n'
    )
    mirrored = fetching.model_copy(update={"terraform_cli_config_file": rules})
    elsewhere = "registry.example.invalid/acme/demo"

    planned(engine_tool, mirrored, needs(f"{elsewhere} ~> 1.0"))
    planned(engine_tool, mirrored, needs(f"{elsewhere} ~> 1.0"), workspace_id="ws-another")

    own = PluginCache(cache.packages.parent, rules_identity(rules.read_text()) or "")
    assert packages(own) == [f"{elsewhere}/1.2.3/{PLATFORM}"]
    assert packages(cache) == []
    assert registry.downloads() == {registry.archive_name("demo", "1.2.3"): 1}


def test_supervisor_what_lies_in_the_operators_mirror_stays_there(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache, tmp_path: Path
) -> None:
    registry.add("demo", "1.2.3")
    elsewhere = "registry.example.invalid/acme/demo"
    mirrored = tmp_path / "mirror" / elsewhere / "1.2.3" / PLATFORM
    with zipfile.ZipFile(io.BytesIO(registry.packages["acme", "demo", "1.2.3"])) as archive:
        archive.extractall(mirrored)
    (mirrored / "terraform-provider-demo_v1.2.3").chmod(0o755)
    rules = tmp_path / "cli.tfrc"
    rules.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path / "mirror"}"\n'
        '    include = ["registry.example.invalid/*/*"]\n  }\n'
        '  direct {\n    exclude = ["registry.example.invalid/*/*"]\n  }\n}\n'
    )
    mixed = fetching.model_copy(update={"terraform_cli_config_file": rules})
    fetched = registry.add("other", "1.0.0")

    first = planned(engine_tool, mixed, needs(elsewhere, fetched))
    second = planned(engine_tool, mixed, needs(elsewhere, fetched))

    own = PluginCache(cache.packages.parent, rules_identity(rules.read_text()) or "")
    assert packages(own) == [f"{fetched}/1.0.0/{PLATFORM}"]
    assert "is not shared" not in first.text
    assert REUSED in second.text


def test_supervisor_under_a_strict_umask_fills_a_cache_that_engines_can_read(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    before = os.umask(0o077)
    try:
        planned(engine_tool, fetching, needs(demo))
        deep = {f"deep/er/{name}": text for name, text in needs(demo).items()}
        planned(engine_tool, fetching, deep, module_path="deep/er", workspace_id="ws-another")
    finally:
        os.umask(before)

    assert registry.downloads() == {registry.archive_name("demo", "1.2.3"): 1}


def test_supervisor_without_a_sandbox_neither_fills_nor_offers_the_cache(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    demo = registry.add("demo", "1.2.3")
    bare = fetching.model_copy(update={"sandbox": "off"})

    planned(engine_tool, bare, needs(f"{demo} 1.2.3"))

    assert not cache.packages.exists()


def test_supervisor_twenty_runs_fill_an_empty_cache_at_once(
    engine_tool: Tool, fetching: Settings, registry: Registry, cache: PluginCache
) -> None:
    sources = [registry.add(name, "1.0.0") for name in ("one", "two", "three")]
    registry.delay_seconds = 0.2

    def run(number: int) -> None:
        planned(engine_tool, fetching, needs(*sources), workspace_id=f"ws-{number}", run_id=f"run-{number}")

    assert ended([forked(run, number) for number in range(20)]) == [0] * 20

    assert registry.downloads() == {registry.archive_name(name, "1.0.0"): 1 for name in ("one", "two", "three")}
    assert len(packages(cache)) == 3
    assert cache.check_all() == []
    assert litter(cache) == []
