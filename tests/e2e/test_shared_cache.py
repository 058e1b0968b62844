"""Twenty runs of one worker fill an empty provider cache at once; a workspace's engine pin is kept to the end.

With one engine: that each engine's runs share a cache is in tests/runner/test_runner_plugin_cache.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.executor import discovery
from app.executor.plugin_cache import PLATFORM, PluginCache
from tests.e2e.site import Site
from tests.runner.fetching import needs
from tests.support.registry import Registry, running_registry
from tests.support.server import running_sluice

pytestmark = [pytest.mark.engine, pytest.mark.processes, pytest.mark.provider]
RUNS = 20
NAMES = ("one", "two", "three")


@dataclass(frozen=True)
class Shared:
    """A Sluice with an empty cache, and the registry that it trusts."""

    site: Site
    registry: Registry
    cache: PluginCache


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    with running_registry(tmp_path) as registry:
        monkeypatch.setenv("SSL_CERT_FILE", str(registry.ca_file))
        cache = tmp_path / "cache"
        with running_sluice(worker_concurrency=str(RUNS), terraform_plugin_cache_dir=str(cache)) as running:
            site = Site(running)
            yield Shared(site, registry, PluginCache(cache))
            site.close()


def test_twenty_runs_fill_an_empty_cache_at_once_and_leave_it_intact(shared: Shared) -> None:
    engine_tool = discovery.find_engine(get_settings())
    site, registry, cache = shared.site, shared.registry, shared.cache
    files = needs(*[f"{registry.add(name, '1.0.0')} ~> 1.0" for name in NAMES])
    registry.delay_seconds = 0.3
    pin = f"= {engine_tool.version}"
    spaces = [site.workspace(engine_tool.kind, engine_version=pin) for _ in range(RUNS)]

    runs = [site.request(name, files) for name in spaces]
    for run_id in runs:
        site.until(run_id, "awaiting_approval", seconds=180)
        site.quiet(run_id)

    archives = {registry.archive_name(name, "1.0.0"): 1 for name in NAMES}
    assert registry.downloads() == archives
    assert sorted(str(path.relative_to(cache.packages)) for path in cache.packages.glob("*/*/*/*/*")) == sorted(
        f"{registry.host}/acme/{name}/1.0.0/{PLATFORM}" for name in NAMES
    )
    assert cache.check_all() == []
    assert list((cache.packages.parent / "staging").iterdir()) == []
    assert list((cache.packages.parent / "set-aside").iterdir()) == []

    apply = site.approve(runs[0])
    site.until(runs[0], "applied")
    assert "init is not needed again" in site.log(apply)
    assert registry.downloads() == archives

    site.admin.patch(f"/terraform/workspaces/{spaces[1]}", json={"engine_version": "< 0.1"}).raise_for_status()
    assert site.run(runs[1])["status"] == "superseded"
    assert f"no longer allows {engine_tool.kind} {engine_tool.version}" in site.run(runs[1])["status_reason"]
