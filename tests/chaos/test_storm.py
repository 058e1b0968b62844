"""A short storm: each kind of kill over real runs, and nothing is lost, stuck or done twice."""

import os
import secrets
import sys

import pytest

from tests.chaos.storm import kills, storm
from tests.support.guards import GUARDED

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.xdist_group("chaos"),
    pytest.mark.timeout(900),
]
KILLS: dict[kills.Kind, int] = {
    "engine": 2,
    "worker": 1,
    "api": 1,
    "redis": 1,
    "postgres": 1,
    "postgres-crash": 1,
    "supervisor": 1,
    "nursery": 1,
    "worker-term": 1,
    "beat": 1,
}
SECONDS = 15


def test_storm_loses_nothing_leaves_nothing_stuck_and_applies_nothing_twice() -> None:
    seed = int(os.environ.get("SLUICE_TEST_CHAOS_SEED") or secrets.randbelow(2**32))
    said = [f"again with SLUICE_TEST_CHAOS_SEED={seed}"]
    options = storm.Options(seed, sum(KILLS.values()), SECONDS, managed=2, local=1, weights=KILLS)
    found = storm.run(options, said.append, GUARDED)
    print("\n".join(said), file=sys.stderr)
    assert not found["violations"], "\n".join([*found["violations"], *said])
    assert found["journal"] == (
        found["in_state_version"] + found["in_errored_state"] + found["on_recovery_list"] + found["missing"]
    )
    assert found["journal"] > 0
    assert found["audit_chain"]["is_intact"]


def test_plan_of_kills_is_the_same_for_the_same_seed_and_has_each_kind_as_often_as_it_weighs() -> None:
    first, again, other = (kills.plan(seed, 200, 600) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    count = {kind: sum(kill.kind == kind for kill in first) for kind in kills.WEIGHTS}
    assert sum(count.values()) == 200
    for kind, weight in kills.WEIGHTS.items():
        assert count[kind] >= 2 * weight
