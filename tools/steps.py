"""Run named steps one after the other, all of them, and say at the end which failed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
FRONTEND = ROOT / "frontend"


@dataclass(frozen=True)
class Step:
    """One command, or one function that returns an exit code."""

    name: str
    action: Sequence[str | Path] | Callable[[], int]
    directory: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> int:
        """Run it; return its exit code."""
        if callable(self.action):
            return self.action()
        command = [str(part) for part in self.action]
        return subprocess.run(
            command, cwd=self.directory, env={**os.environ, **self.environment}, check=False
        ).returncode


def run_all(steps: Sequence[Step]) -> int:
    """Run every step, also after a failure; print a table; return 1 when any failed."""
    results: list[tuple[str, bool, float]] = []
    for step in steps:
        print(f"\n=== {step.name}", flush=True)
        started = time.monotonic()
        passed = step.run() == 0
        results.append((step.name, passed, time.monotonic() - started))
    print(
        "\n"
        + "\n".join(f"{'ok  ' if passed else 'FAIL'} {seconds:6.1f} s  {name}" for name, passed, seconds in results)
    )
    sys.stdout.flush()
    return 0 if all(passed for _, passed, _ in results) else 1
