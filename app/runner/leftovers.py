"""What a killed supervisor left on disk: its state and what its apply had begun are handed in, then the directory goes.

A run's directory is locked by its supervisor for as long as that lives, so an unlocked one belongs to a dead one, on
whatever worker of this machine.
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.canonical import sha256_hex
from app.core.errors import AppError
from app.core.settings import Settings, get_settings
from app.executor.engine import Site
from app.executor.nursery import Target
from app.executor.terraform import kept_state
from app.runner import steps, workdir
from app.runner.port import RunnerJob, RunnerPort, StateKind
from app.runner.steadfast import insist

_log = logging.getLogger(__name__)
_NOTE = "run.json"
# The kernel ends an engine when its supervisor dies; this is ample for it to be gone.
_SETTLE_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0
_UNCLAIMED_SECONDS = 3600.0


class Claim:
    """A supervisor's hold on its directory, with a note of whose it is. Holds until `release` or death."""

    def __init__(self, site: Site, job: RunnerJob) -> None:
        self._descriptor = os.open(site.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        note = {
            "run_id": job.run_id,
            "fencing_token": job.fencing_token,
            "kind": job.kind,
            "module_path": site.module_path,
            "state_digest": job.state.digest if job.state is not None else None,
            "keeps_state_here": job.keeps_state_here,
        }
        (site.root / _NOTE).write_text(json.dumps(note))

    def release(self) -> None:
        """Give the directory up."""
        os.close(self._descriptor)


def target(port: Callable[[], RunnerPort]) -> Target:
    """Return what the nursery forks to recover leftovers; it answers with the runs that were recovered, as JSON."""

    def run(_payload: bytes) -> bytes:
        return json.dumps(recover(get_settings(), port(), settle_seconds=_SETTLE_SECONDS)).encode()

    return run


def recover(settings: Settings, port: RunnerPort, *, settle_seconds: float) -> list[str]:
    """Hand in the state of every dead apply on this machine and remove the directories of dead runs.

    Returns the ids of the runs whose directories were removed. What can't be handed in stays, and is logged.
    """
    base = workdir.base_directory(settings)
    if not base.is_dir():
        return []
    recovered = []
    for root in sorted(base.iterdir()):
        is_run = root.is_dir() and not root.is_symlink() and not root.name.startswith(".")
        try:
            run_id = _recover_one(root, port, settle_seconds) if is_run else None
        except Exception:
            # What one run's code left must not keep the states of others.
            _log.exception("A dead run's directory could not be dealt with.", extra={"directory": str(root)})
            continue
        if run_id is not None:
            recovered.append(run_id)
    return recovered


def _recover_one(root: Path, port: RunnerPort, settle_seconds: float) -> str | None:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        try:
            note = json.loads((root / _NOTE).read_text())
            site = Site(root, note["module_path"])
        except (OSError, ValueError, KeyError):
            # Made a moment ago and not yet claimed, or left by a death before that: it holds nothing.
            if root.stat().st_mtime < time.time() - _UNCLAIMED_SECONDS:
                workdir.remove(Site(root))
            return None
        time.sleep(settle_seconds)
        if note["kind"] == "apply" and not _hand_in(site, note, port):
            return None
        workdir.remove(site)
        return str(note["run_id"])
    finally:
        os.close(descriptor)


def _hand_in(site: Site, note: dict[str, Any], port: RunnerPort) -> bool:
    """Store what a dead apply left. Returns whether nothing is left to be lost."""
    try:
        kept = kept_state(site.module)
        found: list[tuple[StateKind, bytes | None]] = [("errored", kept.errored)]
        if note.get("keeps_state_here", True):
            found.append(("applied", kept.state))
        for kind, data in found:
            if data is not None and sha256_hex(data) != note["state_digest"]:
                _put(port, note, kind, data)
        begun = steps.gather(site)
        insist(
            "put_steps",
            lambda: port.put_steps(note["run_id"], int(note["fencing_token"]), begun),
            for_seconds=_PATIENCE_SECONDS,
        )
    except (AppError, OSError) as error:
        _log.error("What a dead run left could not be kept; it is in %s: %s", site.root, error, extra={"note": note})
        return False
    return True


def _put(port: RunnerPort, note: dict[str, Any], kind: StateKind, data: bytes) -> None:
    insist(
        "put_state",
        lambda: port.put_state(note["run_id"], int(note["fencing_token"]), kind, data),
        for_seconds=_PATIENCE_SECONDS,
    )
