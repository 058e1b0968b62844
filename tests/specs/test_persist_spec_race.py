import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.specs.models import TerraformStack, TerraformStackSpecVersion
from tests.support.guards import spawning
from tests.workspaces.tenant import new_tenant

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 50
Pusher = subprocess.Popen[str]


@pytest.fixture
def tenant(real_database: str) -> Actor:
    with unit_of_work() as session:
        return new_tenant(session)


@pytest.fixture
def pusher_processes(tenant: Actor) -> Iterator[list[Pusher]]:
    """Two Python processes that push what they are told, each with its own connections and commits."""
    command = [sys.executable, "-m", "tests.specs.pusher", tenant.organization_id]
    with spawning("the race is between two processes"):
        processes = [
            subprocess.Popen(
                [*command, f"user-{number}"],
                cwd=ROOT,
                env=dict(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in (1, 2)
        ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield processes
    finally:
        for process in processes:
            process.communicate(timeout=20)


def push_at_once(processes: list[Pusher], spec: dict[str, Any]) -> list[dict[str, Any]]:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(json.dumps(spec) + "\n")
    for process in processes:
        assert process.stdin is not None
        process.stdin.flush()
    return [json.loads(process.stdout.readline()) for process in processes if process.stdout is not None]


@pytest.mark.races
@pytest.mark.processes
def test_persist_spec_two_equal_pushes_at_once_make_one_version_50_times(
    pusher_processes: list[Pusher], tenant: Actor
) -> None:
    good = 0
    for number in range(ROUNDS):
        # Every other round races for the stack's creation too, the rest for its next version.
        name = f"stack-{number}" if number % 2 else "shared"
        answers = push_at_once(pusher_processes, {"name": name, "inputs": {"round": number}})
        one_created = sorted(answer["created"] for answer in answers) == [False, True]
        good += one_created and answers[0]["version"] == answers[1]["version"]
    with unit_of_work() as session:
        rows = session.scalars(select(TerraformStackSpecVersion)).all()
        names = session.scalars(select(TerraformStack.name)).all()
    assert good == ROUNDS
    assert len(rows) == ROUNDS
    assert len(names) == len(set(names)) == 1 + ROUNDS // 2
    shared = sorted(row.number or 0 for row in rows if row.document["name"] == "shared")
    assert shared == list(range(1, 1 + ROUNDS // 2))
