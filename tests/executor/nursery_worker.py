"""A worker for the nursery's tests: forks a nursery, starts one child, prints what it learns, and waits to be killed.

Arguments: a directory for what the child leaves, and how long the child works, in seconds.
"""

import os
import sys
import time
from pathlib import Path

from app.executor.nursery import Nursery


def work(payload: bytes) -> bytes:
    directory, seconds = payload.decode().split("|")
    Path(directory, "started").write_text(f"{os.getpid()} {os.getppid()} {os.getsid(0)}")
    time.sleep(float(seconds))
    Path(directory, "done").write_text("done")
    return b"result"


if __name__ == "__main__":
    nursery = Nursery.fork({"work": work})
    child = nursery.start("work", f"{sys.argv[1]}|{sys.argv[2]}".encode())
    print(nursery.pid, child.pid, flush=True)
    end = child.wait()
    print(end, flush=True)
