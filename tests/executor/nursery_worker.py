"""A worker for the nursery's tests: forks a nursery, starts one child, prints what it learns, and waits to be killed.

Argument: a directory for what the child leaves; the child works until there is a file ``go`` in it.
"""

import os
import sys
import time
from pathlib import Path

from app.executor.nursery import Nursery


def work(payload: bytes) -> bytes:
    directory = Path(payload.decode())
    (directory / "started").write_text(f"{os.getpid()} {os.getppid()} {os.getsid(0)}")
    while not (directory / "go").exists():
        time.sleep(0.01)
    (directory / "done").write_text("done")
    return b"result"


if __name__ == "__main__":
    nursery = Nursery.fork({"work": work})
    child = nursery.start("work", sys.argv[1].encode())
    print(nursery.pid, child.pid, flush=True)
    end = child.wait()
    print(end, flush=True)
