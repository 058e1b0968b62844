#!/usr/bin/env python3
"""What `make check` runs: format, lint, types, import rules, migrations, generated client, frontend."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from steps import BIN, FRONTEND, ROOT, Step, run_beside

# The longest first, so that none is left to run alone at the end.
STEPS = [
    Step("frontend lint (eslint)", ["npm", "run", "--silent", "lint"], FRONTEND),
    Step("format (ruff format)", [BIN / "ruff", "format", "--check", "--quiet", "."]),
    Step("lint (ruff)", [BIN / "ruff", "check", "--quiet", "."]),
    Step("types (mypy --strict)", [BIN / "mypy"]),
    Step("imports (import-linter)", [BIN / "lint-imports", "--no-cache"]),
    Step(
        "migrations match models (alembic)", [BIN / "python", ROOT / "tools" / "with_database.py", "check-migrations"]
    ),
    Step("generated TypeScript client", [BIN / "python", ROOT / "tools" / "client.py", "--check"]),
    Step("frontend types (tsc)", ["npm", "run", "--silent", "typecheck"], FRONTEND),
]

if __name__ == "__main__":
    sys.exit(run_beside(STEPS))
