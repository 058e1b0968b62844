"""Writes lines into a run's stream as a supervisor does: through its feed, in batches, each committed.

Started by ``progress.py`` with the settings of the server's parts; takes its orders from standard input, as JSON lines.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import registry
from app.core import clock
from app.core.db import unit_of_work
from app.core.ids import new_id
from app.progress import service
from app.runner.feed import Feed
from app.runner.port import ProgressRecord

STEP_SECONDS = 0.005
_PADDING = "aws_instance.example[0]: Still creating... [id=i-0123456789abcdef0] " + "x" * 20


def write(run_id: str, lines_per_second: int, seconds: float) -> dict[str, Any]:
    """Write at this rate, then close the stream; return how many lines, and what it took."""

    def append(records: list[ProgressRecord]) -> None:
        with unit_of_work() as session:
            service.append(session, run_id, records)

    lost: list[ProgressRecord] = []
    feed = Feed(append, lost.extend)
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun, written = time.monotonic(), 0
    total = int(lines_per_second * seconds)
    while written < total:
        now = time.monotonic()
        at = clock.now()
        wanted = min(total, int((now - begun) * lines_per_second) + 1)
        for number in range(written, wanted):
            text = f"{number} {now:.6f} {_PADDING}"
            feed.add(ProgressRecord.model_construct(at=at, kind="line", stream="stdout", text=text, data={}))
        written = wanted
        time.sleep(STEP_SECONDS)
    taken = time.monotonic() - begun
    feed.close(60)
    with unit_of_work() as session:
        service.close_stream(session, run_id)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"lines": written, "seconds": taken, "cpu_seconds": cpu, "lost": len(lost)}


def main() -> None:
    """Obey until standard input ends."""
    registry.connect()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "open":
            run_id = new_id("run")
            with unit_of_work() as session:
                service.open_stream(
                    session, run_id=run_id, organization_id=order["organization_id"], workspace_id="ws-bench"
                )
            print(json.dumps({"run_id": run_id}), flush=True)
        else:
            print(json.dumps(write(order["run_id"], order["lines_per_second"], order["seconds"])), flush=True)


if __name__ == "__main__":
    main()
