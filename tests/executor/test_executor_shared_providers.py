"""What a fetch for the shared provider cache may do to the run that asked for it."""

from pathlib import Path
from typing import Any

import pytest

from app.executor.cancel import CancelSource
from app.executor.discovery import Tool
from app.executor.engine import Notice
from app.executor.errors import EngineStopped
from app.executor.options import ExecutorOptions
from app.executor.plugin_cache import PLATFORM, PluginCache
from app.executor.requirements import Requirement
from app.executor.shared_providers import SharedProviders
from tests.executor.test_executor_plugin_cache import ADDRESS, nest


class Bench:
    """A run whose engine's command is ``run``, called with the seat that it was started in."""

    def __init__(self, directory: Path, run: Any) -> None:
        self.said: list[str] = []
        self.cache = PluginCache(directory / "cache")
        self.cache.open()
        self._cancel = CancelSource()

        def report(output: object) -> None:
            assert isinstance(output, Notice)
            self.said.append(output.message)

        self.shared = SharedProviders(
            self.cache,
            tool=Tool("tofu", directory / "tofu", "1.10.0", "0" * 64),
            is_json=True,
            options=ExecutorOptions(tools=None, plugin_cache=self.cache, fills_cache=True),
            run=lambda _, *, seat, **__: run(seat.directory),
            cancel=self._cancel,
            report=report,
        )

    def fetch(self) -> None:
        self.shared.fetch([Requirement(ADDRESS, "= 1.0.0")])
        assert list((self.cache.packages.parent / "staging").iterdir()) == []


def test_fetch_that_fails_as_nobody_foresaw_leaves_the_run_alone(tmp_path: Path) -> None:
    def run(_: Path) -> None:
        raise RecursionError

    bench = Bench(tmp_path, run)
    bench.fetch()
    bench.fetch()

    # The second does not even try: it knows of the failure.
    assert bench.said == [f"{ADDRESS} is not shared between runs: RecursionError while it was being fetched."]


def test_fetch_of_a_stopped_run_says_so(tmp_path: Path) -> None:
    def run(_: Path) -> None:
        raise EngineStopped("stopped", command="init")

    with pytest.raises(EngineStopped):
        Bench(tmp_path, run).fetch()


def test_fetch_of_a_deeply_nested_package_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    class Ended:
        exit_code = 0

    def run(module: Path) -> Ended:
        package = module / ".terraform" / "providers" / ADDRESS / "1.0.0" / PLATFORM
        package.mkdir(parents=True)
        nest(package, 1100)
        lock = f'provider "{ADDRESS}" {{\n  version = "1.0.0"\n  hashes = [\n    "h1:a=",\n  ]\n}}\n'
        (module / ".terraform.lock.hcl").write_text(lock)
        return Ended()

    bench = Bench(tmp_path, run)
    bench.fetch()

    [said] = bench.said
    assert "more than 32 directories in one another" in said
