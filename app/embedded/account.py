"""Which account PostgreSQL runs under: it refuses to run as root.

As root, a user namespace in which root is called somebody else is enough, and no file changes its owner. Where the
kernel allows none (many containers), a system account that is not the engines' takes its place.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from app.embedded.errors import StartError
from app.executor import gateway

_ACCOUNTS = ("postgres", "daemon")
_PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_REMEDY = "Start Sluice as another user than root, or use a database of your own (SLUICE_DATABASE_URL)."


@dataclass(frozen=True)
class Account:
    """How a program is started under the account: ``prefix`` comes before it. ``uid`` owns its files, if not us."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def program(self, program: Path) -> Path:
        """Return what the gateway is to start."""
        return Path(self.prefix[0]) if self.prefix else program

    def arguments(self, program: Path, *arguments: str) -> tuple[str, ...]:
        """Return what follows it."""
        return (*self.prefix[1:], str(program), *arguments) if self.prefix else arguments

    def own(self, path: Path) -> None:
        """Give ``path`` to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True)
class _Probe:
    """Whether a program can be run under a prefix: its version is asked for."""

    account: Account
    target: Path
    name: ClassVar[str] = "account probe"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the prefix's program."""
        return self.account.arguments(self.target, "--version")


def choose(program: Path) -> Account:
    """Return an account under which ``program`` (postgres) runs. Raises ``StartError`` when there is none."""
    if os.geteuid() != 0:
        return Account()
    candidates = [account for account in (_mapped(), *_dropped()) if account is not None]
    for account in candidates:
        launch = gateway.Launch(account.program(program), _Probe(account, program), _PATH, Path("/"))
        ended = gateway.run(launch, limits=gateway.Limits(timeout_seconds=10), capture_stdout=True)
        if ended.exit_code == 0:
            return account
    raise StartError(
        f"PostgreSQL does not run as root, and no other account here can run {program}: user namespaces are off, or "
        f"the accounts {', '.join(_ACCOUNTS)} can't reach it. {_REMEDY}"
    )


def _mapped() -> Account | None:
    unshare = shutil.which("unshare")
    entry = _entry("nobody")
    if unshare is None or entry is None:
        return None
    return Account((unshare, "--user", f"--map-user={entry.pw_uid}", f"--map-group={entry.pw_gid}", "--"))


def _dropped() -> list[Account]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    entries = [entry for name in _ACCOUNTS if (entry := _entry(name)) is not None and entry.pw_uid != 0]
    return [
        Account(
            # A change of uid clears what made the process die with its parent, so it is asked for again.
            (setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--pdeathsig=KILL", "--"),
            entry.pw_uid,
            entry.pw_gid,
        )
        for entry in entries
    ]


def server_accounts() -> frozenset[int]:
    """Return the uids under which PostgreSQL may run where root can't be mapped to another."""
    return frozenset(entry.pw_uid for name in _ACCOUNTS if (entry := _entry(name)) is not None)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
