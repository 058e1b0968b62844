"""The halt benchmark in its short form: what it counts must be nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.guards import GUARDED, spawning
from tests.support.server import clean_environment

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("chaos"),
    pytest.mark.timeout(600),
]
BENCH = Path(__file__).parents[2] / "bench" / "halt.py"


def test_halts_of_real_and_scripted_runs_leave_nothing_behind() -> None:
    command = [
        sys.executable,
        BENCH,
        "--real",
        "1",
        "--scripted",
        "1",
        "--runs",
        "12",
        "--disturbed",
        "0",
        "--seed",
        "7",
    ]
    with spawning("the benchmark under test"):
        done = subprocess.run(
            command, env={**clean_environment(), **GUARDED}, capture_output=True, text=True, timeout=550, check=False
        )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for kind in ("real", "scripted"):
        left = ("processes_left", "stuck_locks", "starts_before_resume", "lost_states")
        assert {name: found[kind][name] for name in left} == dict.fromkeys(left, 0), done.stderr
        assert found[kind]["halts"] == 1
        assert found[kind]["runs_marked"] > 0
