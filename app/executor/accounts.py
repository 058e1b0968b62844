"""The uids that engines run under when the worker is root: one for each run that goes on at the same time.

The kernel counts processes by uid and keeps keyrings by uid, so runs that shared one would share the limit and could
reach each other's keys. A uid is held by a lock on a file, which the kernel gives back when its supervisor dies.
"""

import fcntl
import os
import stat
import tempfile
from pathlib import Path

from app.executor.errors import ProcessFailed
from app.executor.sandbox import UNPRIVILEGED_ID

COUNT = 256
"""For all workers of the machine together; one alone may run no more at once."""


class Account:
    """A uid that no other run of this machine has until `release`, or the end of the process.

    ``is_shared`` is set where all were taken, so that another run has it, too.
    """

    def __init__(self, user_id: int, descriptor: int | None) -> None:
        self.user_id = user_id
        self.is_shared = descriptor is None
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the uid back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def take(directory: Path | None = None) -> Account:
    """Return the first free account; the locks lie in ``directory``, by default one for the whole machine.

    When all are taken, the first is shared. Raises ``ProcessFailed`` when the directory is not ours.
    """
    directory = directory or Path(tempfile.gettempdir()) / f"sluice-accounts-{os.geteuid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise ProcessFailed(f"{directory} must be a directory that only this user can write to: remove it.")
    for user_id in range(UNPRIVILEGED_ID, UNPRIVILEGED_ID + COUNT):
        descriptor = os.open(directory / str(user_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return Account(user_id, descriptor)
    return Account(UNPRIVILEGED_ID, None)
