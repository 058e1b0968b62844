"""The short form of `bench/progress`: every watcher sees every line once, also those that drop and come back."""

import json
import subprocess
import sys

import pytest

from tests.support.guards import ROOT, spawning

pytestmark = [pytest.mark.processes, pytest.mark.e2e, pytest.mark.slow]


def test_bench_of_a_crowd_and_of_a_fast_log_loses_nothing() -> None:
    options = ["--watchers", "120", "--seconds", "3", "--fast-lines", "4000", "--fast-seconds", "2", "--no-limits"]
    with spawning("the benchmark"):
        done = subprocess.run(
            [sys.executable, ROOT / "bench" / "progress.py", *options],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["many"]["wrong"], result["fast"]["wrong"]) == ([], []), done.stderr
    assert (result["many"]["lines"], result["fast"]["lines"]) == (600, 8000)
    assert result["many"]["drops"] > 0
    # How fast it was says nothing here, where other tests run beside it.
    assert all("p99" in miss for miss in result["misses"])
