"""A worker for the supervisor's tests: forks a nursery, starts one supervisor on a job, and waits to be killed.

Arguments: a directory with `job.json`, the artifacts as files, and the settings as JSON. What the supervisor tells the
control plane is written into the directory, a file a call.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.executor import tree
from app.executor.nursery import Nursery
from app.runner.port import RunnerJob
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort

ROOT = Path(sys.argv[1])


def leave(name: str, content: bytes) -> None:
    """Write a file at once: whoever sees it sees it whole."""
    (ROOT / f".{name}").write_bytes(content)
    (ROOT / f".{name}").rename(ROOT / name)


class FilePort(MemoryPort):
    """Leaves every call as a file."""

    def _note(self, call: str, *, needs_lease: bool = True) -> None:
        super()._note(call, needs_lease=needs_lease)
        with (ROOT / "calls").open("a") as file:
            file.write(f"{time.monotonic()} {call}\n")

    def append(self, *arguments: Any) -> None:
        super().append(*arguments)
        leave("log", self.text.encode())

    def put_state(self, *arguments: Any) -> Any:
        answer = super().put_state(*arguments)
        leave("state", self.states[-1][1])
        return answer


def supervise(payload: bytes) -> bytes:
    tree.become_reaper()
    port = FilePort(
        artifacts={key: bytes.fromhex(data) for key, data in json.loads((ROOT / "artifacts").read_text()).items()}
    )
    settings = Settings().model_copy(update={"work_dir": ROOT / "runs", "engine": Path(sys.argv[2])})
    status = Supervisor(RunnerJob.model_validate_json(payload), port, settings).run()
    leave("status", status.encode())
    return status.encode()


if __name__ == "__main__":
    nursery = Nursery.fork({"run": supervise})
    child = nursery.start("run", (ROOT / "job.json").read_bytes())
    print(nursery.pid, child.pid, flush=True)
    print(child.wait(), flush=True)
