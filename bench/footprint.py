"""What everything together takes: the second start's seconds, and the memory at rest (PSS of every process).

Expected: ready within 5 s on existing data, and below 450 MB.
"""

import sys
import time
from pathlib import Path

import _harness as harness
import psutil

MOST_START_SECONDS = 5.0
MOST_MEMORY_MB = 450.0
REST_SECONDS = 20.0


def processes_of(server: harness.Server) -> list[psutil.Process]:
    """Return every process of the installation: the tree, and what left it on purpose (the nursery)."""
    top = psutil.Process(server.pid)
    found = {process.pid: process for process in (top, *top.children(recursive=True))}
    for process in psutil.process_iter():
        try:
            if process.environ().get("SLUICE_HOME") == str(server.home):
                found[process.pid] = process
        except psutil.Error:
            continue
    return list(found.values())


def pss_mb(process: psutil.Process) -> float:
    """Return the proportional set size in MB, as the kernel accounts it."""
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this kernel reports no PSS")


def main() -> int:
    """Start twice, rest, weigh, and report."""
    with harness.scratch() as directory:
        home = directory / "home"
        with harness.sluice(home) as first:
            first_seconds = first.started_seconds
        with harness.sluice(home) as server:
            time.sleep(REST_SECONDS)
            weighed: dict[str, float] = {}
            for process in processes_of(server):
                try:
                    name = _name(process)
                    weighed[name] = round(weighed.get(name, 0) + pss_mb(process), 1)
                except (psutil.Error, OSError):
                    continue
            total = round(sum(weighed.values()), 1)
            parts = dict(sorted(weighed.items(), key=lambda item: -item[1]))
            harness.say(f"start on nothing {first_seconds:.2f} s, on existing data {server.started_seconds:.2f} s")
            harness.say(f"at rest {total} MB: " + ", ".join(f"{part} {size}" for part, size in parts.items()))
            result = {
                "benchmark": "footprint",
                "machine": harness.machine(),
                "first_start_seconds": round(first_seconds, 2),
                "second_start_seconds": round(server.started_seconds, 2),
                "pss_mb": total,
                "pss_mb_by_part": parts,
            }
    misses = []
    if server.started_seconds > MOST_START_SECONDS:
        misses.append(f"second start: {server.started_seconds:.2f} s, at most {MOST_START_SECONDS} expected")
    if total > MOST_MEMORY_MB:
        misses.append(f"memory at rest: {total} MB, at most {MOST_MEMORY_MB} expected")
    return harness.report(result, misses)


def _name(process: psutil.Process) -> str:
    line = process.cmdline()
    for part in ("up", "api", "worker", "beat"):
        if part in line:
            return "nursery" if process.name() == "sluice-nursery" else part
    return process.name()


if __name__ == "__main__":
    sys.exit(main())
