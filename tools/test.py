#!/usr/bin/env python3
"""What `make test` runs: the Python suite, the frontend's unit tests, the browser tests."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from steps import BIN, FRONTEND, ROOT, Step, run_all


def steps() -> list[Step]:
    """Return the steps. More workers than CI has processors, since most tests wait for processes and databases."""
    workers = os.environ.get("SLUICE_TEST_WORKERS", "3")
    found = [
        Step("frontend unit tests (vitest)", ["npm", "test", "--silent"], FRONTEND),
        Step("Python tests (pytest)", [BIN / "pytest", "-q", "-n", workers, "--dist", "loadgroup"]),
    ]
    if (ROOT / "tests" / "browser").is_dir():
        found.append(Step("browser tests (playwright)", ["npm", "run", "--silent", "test:browser"], FRONTEND))
    return found


if __name__ == "__main__":
    sys.exit(run_all(steps()))
