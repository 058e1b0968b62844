"""Does one call stop everything? Runs in every phase, four workers, halted at random moments, again and again.

20 halts of 50 real runs, 200 of 12 runs whose engine follows a script, of each kind 3 more with Redis stopped, with
Redis frozen (SIGSTOP), and with a worker frozen that wakes afterwards, with all that it has started. Expected: the runs
are marked within 200 ms of the call (p99 of each kind), no process is left after the grace period, no lock is stuck, no
state is lost (counted by a journal outside of every engine), nothing starts before the resume, and what was frozen
writes nothing when it wakes. The full form takes some 12 minutes on two idle processors.
"""

import argparse
import random
import sys
import time
from typing import Any

import _harness as harness
from _halting import BOUND_SECONDS, Disturbance, Field, Rounds

from tests.chaos.storm.journal import Journal
from tests.chaos.storm.parts import installed

WORKERS = 4
RUNS, SCRIPTED_RUNS = 50, 12
REAL, SCRIPTED, DISTURBED = 20, 200, 3
DISTURBANCES: tuple[Disturbance, ...] = ("redis stopped", "redis frozen", "worker frozen")
MOST_MS = 200.0
WORKSPACES = 25
ENGINE = harness.ROOT / "tests" / "executor" / "fake_engine.py"


def halted(title: str, count: int, runs: int, rng: random.Random, *, is_scripted: bool, disturbed: int) -> list[Rounds]:
    """Halt one installation ``count`` times, then ``disturbed`` times under each disturbance; say what each came to."""
    wanted: list[tuple[str, int, Disturbance]] = [(title, count, "none")]
    wanted += [(f"{title}, {what}", disturbed, what) for what in DISTURBANCES if disturbed]
    settings = {"SLUICE_ENGINE": str(ENGINE)} if is_scripted else {}
    found: list[Rounds] = []
    with (
        harness.scratch() as directory,
        installed(directory, workers=WORKERS, settings=settings) as (parts, token),
        Journal() as journal,
    ):
        field = Field(parts, token, journal, rng, is_scripted=is_scripted, workspaces=min(WORKSPACES, runs))
        field.furnish()
        for name, number, disturbance in wanted:
            kept = Rounds(name)
            begun = time.monotonic()
            for _ in range(number):
                kept.rounds.append(field.round(runs, disturbance))
                tell_round(kept, time.monotonic() - begun)
            found.append(kept)
        # One journal for all of an installation's halts: what any of them lost shows here.
        found[0].lost_states, found[0].journal = field.lost()
        found[0].broken = field.violations
        field.close()
    return found


def tell_round(kept: Rounds, seconds: float) -> None:
    """Say for people what the last halt came to."""
    last = kept.rounds[-1]
    phases = ", ".join(f"{count} {phase}" for phase, count in sorted(last.phases.items()))
    harness.say(
        f"  {kept.title} {len(kept.rounds)} ({seconds:.0f} s): {last.marked} marked in {last.marked_ms:.0f} ms (answer "
        f"{last.answered_ms:.0f} ms), dead after {last.all_dead_seconds:.1f} s; {phases}"
    )


def summed(kept: Rounds) -> dict[str, Any]:
    """Return the figures of one kind of halt."""
    return {
        "halts": len(kept.rounds),
        "runs_marked": sum(found.marked for found in kept.rounds),
        "runs_marked_least": min((found.marked for found in kept.rounds), default=0),
        "marked_ms_median": kept.at(0.5),
        "marked_ms_p99": kept.at(0.99),
        "marked_ms_most": kept.at(1.0),
        "answered_ms_p99": kept.at(0.99, of_answers=True),
        "all_dead_seconds_most": round(max((found.all_dead_seconds for found in kept.rounds), default=0.0), 2),
        "processes_left": sum(found.processes_left for found in kept.rounds),
        "stuck_locks": sum(found.locks_left for found in kept.rounds if "worker frozen" not in kept.title),
        "starts_before_resume": sum(found.started + found.live for found in kept.rounds),
        "written_by_frozen": sum(found.written_by_frozen for found in kept.rounds),
        "resources_made": kept.journal,
        "lost_states": kept.lost_states,
        "rounds": {
            "marked_ms": [round(found.marked_ms) for found in kept.rounds],
            "answered_ms": [round(found.answered_ms) for found in kept.rounds],
            "runs_marked": [found.marked for found in kept.rounds],
            "all_dead_seconds": [round(found.all_dead_seconds, 1) for found in kept.rounds],
        },
    }


def misses_of(kept: Rounds) -> list[str]:
    """Return what one kind of halt missed."""
    figures = summed(kept)
    wrong = [
        f"{kept.title}: {figures[name]} {name.replace('_', ' ')}"
        for name in ("processes_left", "stuck_locks", "starts_before_resume", "lost_states", "written_by_frozen")
        if figures[name]
    ]
    wrong += [f"{kept.title}: {text}" for text in kept.broken]
    if figures["marked_ms_p99"] > MOST_MS:
        wrong.append(f"{kept.title}: p99 {figures['marked_ms_p99']} ms, at most {MOST_MS:g} expected")
    return wrong


def main() -> int:
    """Halt, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=int, default=REAL, help="halts of real runs")
    parser.add_argument("--scripted", type=int, default=SCRIPTED, help="halts of runs with a scripted engine")
    parser.add_argument("--runs", type=int, default=RUNS, help="real runs a halt")
    parser.add_argument("--scripted-runs", type=int, default=SCRIPTED_RUNS, help="scripted runs a halt")
    parser.add_argument("--disturbed", type=int, default=DISTURBED, help="halts under each disturbance")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    chosen = parser.parse_args()
    harness.say(f"seed {chosen.seed}; at most {BOUND_SECONDS:g} s from a halt to the last proof of death")
    rng = random.Random(chosen.seed)
    found: list[Rounds] = []
    if chosen.real:
        found += halted("real", chosen.real, chosen.runs, rng, is_scripted=False, disturbed=chosen.disturbed)
    if chosen.scripted:
        found += halted(
            "scripted", chosen.scripted, chosen.scripted_runs, rng, is_scripted=True, disturbed=chosen.disturbed
        )
    result: dict[str, Any] = {
        "benchmark": "halt",
        "machine": harness.machine(),
        "workers": WORKERS,
        "seed": chosen.seed,
    }
    result |= {kept.title.replace(", ", "_").replace(" ", "_"): summed(kept) for kept in found}
    tool = harness.engine()
    result["engine"] = f"{tool.kind} {tool.version}"
    return harness.report(result, [miss for kept in found for miss in misses_of(kept)])


if __name__ == "__main__":
    sys.exit(main())
