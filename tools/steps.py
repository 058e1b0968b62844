"""Run named steps, all of them, one after the other or some side by side, and say at the end which failed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        return self._process(self.action, captured=False).returncode

    def run_held(self) -> tuple[int, str]:
        """Run it; return its exit code and all that it said, for when other steps run beside it.

        Raises ``TypeError`` for a step that is a function: what that prints can't be told from the others'.
        """
        if callable(self.action):
            raise TypeError(f"{self.name} is no command")
        done = self._process(self.action, captured=True)
        return done.returncode, done.stdout

    def _process(self, action: Sequence[str | Path], *, captured: bool) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(part) for part in action],
            cwd=self.directory,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE if captured else None,
            stderr=subprocess.STDOUT if captured else None,
            text=True,
            check=False,
        )


Result = tuple[str, bool, float]


def run_all(steps: Sequence[Step]) -> int:
    """Run every step, also after a failure; print a table; return 1 when any failed."""
    results: list[Result] = []
    for step in steps:
        print(f"\n=== {step.name}", flush=True)
        started = time.monotonic()
        passed = step.run() == 0
        results.append((step.name, passed, time.monotonic() - started))
    return _told(results)


def run_beside(steps: Sequence[Step], at_once: int = 2) -> int:
    """Run every step, up to ``at_once`` of them at a time; print what each said as a whole; else as ``run_all``."""

    def one(step: Step) -> Result:
        started = time.monotonic()
        code, said = step.run_held()
        print(f"\n=== {step.name}\n{said}", end="", flush=True)
        return step.name, code == 0, time.monotonic() - started

    with ThreadPoolExecutor(at_once) as lanes:
        return _told(list(lanes.map(one, steps)))


def _told(results: Sequence[Result]) -> int:
    print(
        "\n"
        + "\n".join(f"{'ok  ' if passed else 'FAIL'} {seconds:6.1f} s  {name}" for name, passed, seconds in results)
    )
    sys.stdout.flush()
    return 0 if all(passed for _, passed, _ in results) else 1
