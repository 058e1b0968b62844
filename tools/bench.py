#!/usr/bin/env python3
"""Run the benchmarks under ``bench/``; exit 1 when one misses what is expected of it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run those named, else all; each prints one line of JSON last."""
    known = sorted(file.stem for file in (ROOT / "bench").glob("*.py") if not file.stem.startswith("_"))
    chosen = sys.argv[1:] or known
    if unknown := sorted(set(chosen) - set(known)):
        print(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(known) or 'none'}.", file=sys.stderr)
        return 2
    failed = [
        name
        for name in chosen
        if subprocess.run([sys.executable, ROOT / "bench" / f"{name}.py"], cwd=ROOT, check=False).returncode != 0
    ]
    if failed:
        print(f"missed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
