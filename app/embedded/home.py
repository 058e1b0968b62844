"""The data directory: where everything of one Sluice lies, who holds it, and where its sockets go."""

import fcntl
import hashlib
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.embedded.account import server_accounts
from app.embedded.errors import AlreadyRunning, HomeUnusable

# The kernel's limit of a socket's path is 108 bytes with the closing NUL; PostgreSQL's name is the longest of ours.
_SOCKET_PATH_BYTES = 107
_LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


@dataclass(frozen=True)
class Home:
    """The paths below a data directory. ``sockets`` is elsewhere when the directory's own path is too long."""

    root: Path
    sockets: Path

    @property
    def postgres_data(self) -> Path:
        """Where the database cluster lies."""
        return self.root / "postgres"

    @property
    def redis_data(self) -> Path:
        """Where Redis works."""
        return self.root / "redis"

    @property
    def logs(self) -> Path:
        """Where each part writes its log."""
        return self.root / "logs"

    @property
    def lock_file(self) -> Path:
        """The file whose lock says that a Sluice runs on this data."""
        return self.root / "up.lock"

    @property
    def has_elsewhere_sockets(self) -> bool:
        """Whether the sockets had to go outside the data directory."""
        return not self.sockets.is_relative_to(self.root)

    def log(self, part: str) -> Path:
        """Return the log file of ``part``."""
        return self.logs / f"{part}.log"


def open_home(path: Path) -> Home:
    """Make the data directory and what belongs below it, all 0700, and return it. Raises ``HomeUnusable``."""
    root = path.expanduser().resolve()
    home = Home(root, _sockets(root))
    try:
        for directory in (root, home.logs, home.redis_data):
            _private(directory)
        _private(home.sockets)
        probe = root / f".writable.{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise HomeUnusable(
            f"{error.filename or root} can't be made or written: {error.strerror}. Choose a directory of your own with "
            "--home or SLUICE_HOME, or correct its owner and permissions.",
            path=str(root),
        ) from error
    return home


def _private(directory: Path) -> None:
    """Make ``directory``, or refuse one that belongs to somebody else; close it to others."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise HomeUnusable(f"{directory} is not a directory. Remove it, or choose another --home.", path=str(directory))
    if os.geteuid() == 0 and facts.st_uid in server_accounts():
        # PostgreSQL had it, at a start as root without user namespaces; it is given to it again when it starts.
        os.chown(directory, 0, 0)
    elif facts.st_uid != os.geteuid():
        raise HomeUnusable(
            f"{directory} belongs to another user (uid {facts.st_uid}). Run Sluice as that user, or choose another "
            "--home.",
            path=str(directory),
        )
    if facts.st_mode & 0o077:
        directory.chmod(0o700)


def _sockets(root: Path) -> Path:
    inside = root / "run"
    if len(os.fsencode(inside / _LONGEST_SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
        return inside
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    name = f"sluice-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"
    for base in (runtime, Path("/tmp")):  # noqa: S108 - the directory is made 0700, and one of another owner is refused
        if len(os.fsencode(base / name / _LONGEST_SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
            return base / name
    raise HomeUnusable(f"{root} is too deep for Unix sockets, and so is {runtime}. Choose a shorter --home.")


class HomeLock:
    """Holds the data directory for one Sluice, as long as its descriptor is open: a crash frees it, too."""

    def __init__(self, home: Home) -> None:
        self._descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunning(
                f"Another Sluice{f' (process {holder})' if holder else ''} runs on {home.root}. Use that one, stop it, "
                "or start this one on other data with --home.",
                pid=int(holder) if holder.isdigit() else None,
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the data directory."""
        os.close(self._descriptor)


def password(file: Path) -> str:
    """Return the password in ``file`` (0600), made at the first call."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as opened:
        made = secrets.token_urlsafe(32)
        opened.write(made + "\n")
    return made
