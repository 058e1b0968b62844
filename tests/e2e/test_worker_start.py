"""A worker whose nursery is killed before it is born ends, so that whoever keeps it running starts another."""

import sys

import pytest

from tests.support.parts import running_parts

pytestmark = [pytest.mark.e2e, pytest.mark.processes, pytest.mark.xdist_group("e2e-parts")]
_STILLBORN = """
import os, sys
from app.cli.main import app
from app.executor.keeper import Keeper
Keeper.serve = lambda self: os._exit(9)
sys.argv = ["sluice", "worker"]
app()
"""


def test_worker_without_a_nursery_ends_and_takes_nothing(real_database: str, redis_url: str) -> None:
    with running_parts(real_database, redis_url) as parts:
        worker = parts.start("worker", sys.executable, "-c", _STILLBORN)
        assert worker.process.wait(60) == 1
        [said] = worker.said("the worker can't start, so it ends")
        assert "NurseryGone" in said["exception"]
