"""Supervisors that are scripted: each ends its run when the test lets it."""

import json
import os
import threading
from typing import Any

from app.executor.nursery import ChildEnd
from app.runner.port import RunnerJob
from tests.factories.scene import Scene
from tests.support.waiting import PATIENCE_SECONDS

SECONDS = PATIENCE_SECONDS


class Supervisor:
    """Ends its run when the test lets it."""

    pid = os.getpid()

    def __init__(self, scene: Scene, payload: bytes, may_end: threading.Event) -> None:
        self._scene, self._job, self._may_end = scene, RunnerJob.model_validate_json(payload), may_end

    def wait(self) -> ChildEnd:
        assert self._may_end.wait(SECONDS)
        self._scene.fail(self._job)
        self._scene.quiesce(self._job)
        return ChildEnd(1, 0, None, b"done")


class Supervisors:
    """A starter that notes which run was started when."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.started: list[str] = []
        self.may_end = threading.Event()
        self.began = threading.Semaphore(0)

    def has_ended(self) -> bool:
        return False

    def start(self, _target: str, payload: bytes) -> Any:
        self.started.append(json.loads(payload)["run_id"])
        self.began.release()
        return Supervisor(self._scene, payload, self.may_end)
