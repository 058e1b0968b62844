"""`state pull` and `state push`, for backends that only an engine can read and write."""

import json
from dataclasses import replace
from typing import Any, Protocol

from app.core.canonical import with_member
from app.executor import documents, files
from app.executor.cancel import CancelToken
from app.executor.commands import PUSHED_FILE, Command, StatePullCommand, StatePushCommand
from app.executor.engine import Site
from app.executor.errors import EngineFailed, EngineStopped
from app.executor.launch import Ended, Limits
from app.executor.options import ExecutorOptions
from app.executor.retry import is_transient
from app.executor.tree import wait_for

_EMPTY: dict[str, Any] = {"outputs": {}, "resources": [], "check_results": None}
# Nobody else is expected at the backend; what the engine held a moment ago may take one to be gone.
_PUSH_LOCK_SECONDS = 20


class Host(Protocol):
    """What the executor does for the state's commands."""

    def run(
        self, command: Command, *, capture_stdout: bool = False, limits: Limits | None = None, obeys: bool = True
    ) -> Ended:
        """Run a command to its end."""

    def failure(self, ended: Ended) -> EngineFailed:
        """Return the error that tells of a failed command."""

    def stopped(self, command: str) -> EngineStopped:
        """Return the error that tells of a command that was kept from starting."""


class StateCommands:
    """Reads and writes the state that one run's directory has its backend for."""

    def __init__(self, host: Host, *, site: Site, options: ExecutorOptions, cancel: CancelToken) -> None:
        self._host = host
        self._site = site
        self._options = options
        self._cancel = cancel

    def pull(self) -> bytes | None:
        """Return the state in the backend; None where there is none: engines print nothing, or one without a lineage.

        After an order to stop it has the grace period to end. Raises ``EngineFailed``, also for what is no state, and
        ``EngineStopped`` when the order comes while it is tried again.
        """
        was_stopped = self._cancel.requested() is not None
        limits = self._options.limits
        if was_stopped:
            limits = replace(limits, timeout_seconds=limits.grace_seconds, grace_seconds=1.0)
        attempt = 1
        while True:
            ended = self._host.run(StatePullCommand(), capture_stdout=True, limits=limits, obeys=not was_stopped)
            if ended.exit_code == 0:
                break
            pause = self._options.retry.wait_after(attempt)
            if was_stopped or pause is None or not is_transient([ended.stderr.decode(errors="replace")]):
                raise self._host.failure(ended)
            attempt += 1
            if wait_for(self._cancel.fileno(), pause):
                raise self._host.stopped("state pull")
        if not ended.stdout.strip():
            return None
        try:
            document = documents.load(ended.stdout)
            return ended.stdout if document["lineage"] else None
        except (ValueError, KeyError, TypeError) as error:
            raise EngineFailed(
                "The engine pulled something that is no state from the backend.", command="state pull"
            ) from error

    def push(self, data: bytes, *, over: bytes | None) -> None:
        """Store ``data`` in the backend, where ``over`` lies now (None: nothing); the backend's own lock is held.

        What engines push where nothing lies gets a lineage of its own and the serial 1, and what they push over
        something one more than its serial says (`PersistState` of their `states/remote`). So an empty state goes first,
        and ours over it: forced, since the lineage differs, and one lower. Raises ``EngineFailed``, ``EngineStopped``.
        """
        document = json.loads(data)
        there = json.loads(over) if over is not None else None
        if there is not None and there["lineage"] == document["lineage"]:
            self._push(data, is_forced=False)
            return
        if there is None:
            self._push(json.dumps(document | _EMPTY).encode(), is_forced=False)
        self._push(with_member(data, "serial", int(document["serial"]) - 1), is_forced=True)

    def _push(self, data: bytes, *, is_forced: bool) -> None:
        files.write(self._site.module, PUSHED_FILE, data, owner=self._options.owner, mode=0o600)
        ended = self._host.run(StatePushCommand(is_forced=is_forced, lock_timeout_seconds=_PUSH_LOCK_SECONDS))
        if ended.exit_code != 0:
            raise self._host.failure(ended)
