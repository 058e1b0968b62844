"""Fetches one path of one commit from git, with a hostile repository and a hostile server in mind.

Git runs in the sandbox where there is one, in an empty directory, with a configuration of our own alone: no hooks, no
submodules, no large-file storage, no credentials and nobody to ask for them, no redirects, only the protocols that are
allowed, and only to the addresses that the host's name was resolved to and that may be reached. Nothing is checked
out: the files are read as objects, links are copies of what they point to inside the path, or refused.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.configurations.archive import Entry, Limits, gather
from app.configurations.errors import GitFetchFailed, GitSourceRefused
from app.configurations.git_address import GitAddress
from app.core import outgoing
from app.core.outgoing_addresses import Allowed
from app.core.settings import Settings
from app.core.texts import one_line
from app.executor import files, gateway, git_commands, probe, sandbox
from app.executor.commands import Command
from app.executor.environment import DEFAULT_PATH
from app.executor.errors import ToolMissing
from app.executor.watchdog import TreeLimits

_LIST_BYTES = 16 * 1024 * 1024
_GRACE_SECONDS = 1.0
_PROCESSES = 64
_RESOLVE_SECONDS = 10.0
_SAID = 300
_KEY, _KNOWN_HOSTS = "ssh-key", "known-hosts"
_LINK_BYTES = 4096


@dataclass(frozen=True)
class Fetched:
    """The files of a path, by their names below it (a single file by its own name), and the commit they are of."""

    commit_id: str
    entries: list[Entry] = field(repr=False)


@dataclass(frozen=True)
class _Listed:
    mode: int
    object_id: str
    size: int
    path: str


def fetch(address: GitAddress, settings: Settings, limits: Limits) -> Fetched:
    """Fetch what lies at ``address`` now.

    Raises ``GitSourceRefused`` for what is not allowed here or in a source, ``GitFetchFailed`` when git can't have it,
    ``ArchiveRefused`` and ``ArchiveTooLarge`` for files that can't be taken, ``OutgoingRefused`` and ``OutgoingFailed``
    for the host, and ``ToolMissing`` without git.
    """
    program = shutil.which("git", path=DEFAULT_PATH)
    if program is None:
        raise ToolMissing("git is not installed on this server, so no git source can be read. Install git.", tool="git")
    numbers = _permitted(address, settings)
    with tempfile.TemporaryDirectory(prefix="sluice-git-") as directory:
        return _Fetch(Path(program), address, settings, limits, numbers, Path(directory)).run()


def _permitted(address: GitAddress, settings: Settings) -> list[str]:
    """Return the numbers that the host may be reached at."""
    if address.scheme not in settings.git_protocols:
        raise _refused(f"{address.scheme} is not allowed for git sources here (SLUICE_GIT_PROTOCOLS)")
    if address.scheme == "file":
        return []
    allowed = Allowed.parse(settings.outgoing_allowed)
    is_plain = address.scheme == "http"
    return outgoing.judged(address.host, address.port, allowed, is_plain=is_plain, seconds=_RESOLVE_SECONDS)


class _Fetch:
    """One fetch in one empty directory."""

    def __init__(
        self,
        program: Path,
        address: GitAddress,
        settings: Settings,
        limits: Limits,
        numbers: list[str],
        directory: Path,
    ) -> None:
        self._program = program
        self._address = address
        self._settings = settings
        self._limits = limits
        self._numbers = numbers
        self._directory = directory
        self._tools = probe.sandbox_tools(settings.sandbox)
        self._owner = files.Owner(self._tools.owner_id if self._tools is not None else None)
        self._seen = sandbox.WORK if self._tools is not None else str(directory)

    def run(self) -> Fetched:
        address = self._address
        self._lay_out()
        self._git(git_commands.GitInitCommand())
        self._git(git_commands.GitFetchCommand(address.remote, address.ref))
        commit = self._git(git_commands.GitCommitCommand()).decode(errors="replace").strip()
        if not git_commands.is_object(commit):
            raise _failed(address, "git did not tell the commit that it fetched")
        return Fetched(commit, self._entries(commit))

    def _lay_out(self) -> None:
        settings, address = self._settings, self._address
        if self._owner.id is not None:
            os.chown(self._directory, self._owner.id, self._owner.id)
            # bubblewrap enters it as root without root's rights, before git's account does.
            self._directory.chmod(0o711)
        pins = []
        if address.scheme in {"https", "http"} and self._numbers != [address.host]:
            numbers = ",".join(f"[{number}]" if ":" in number else number for number in self._numbers)
            pins = [f"{address.host}:{address.port}:{numbers}"]
        ssh = self._ssh() if address.scheme == "ssh" else ""
        text = git_commands.configuration(settings.git_protocols, ssh=ssh, pins=pins)
        files.write(self._directory, git_commands.CONFIGURATION, text.encode(), owner=self._owner, mode=0o600)

    def _ssh(self) -> str:
        """Return the command line that git starts ssh with; every word of it is ours or was checked."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": f"{self._seen}/{_KNOWN_HOSTS}",
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "PermitLocalCommand": "no",
            "ClearAllForwardings": "yes",
            "ConnectTimeout": "15",
            "HostName": self._numbers[0],
            "HostKeyAlias": self._address.host,
        }
        for setting, name, path in (
            ("SLUICE_GIT_SSH_KEY", _KEY, self._settings.git_ssh_key),
            ("SLUICE_GIT_KNOWN_HOSTS", _KNOWN_HOSTS, self._settings.git_known_hosts),
        ):
            if path is None:
                raise _refused(f"git+ssh needs {setting} on this server")
            try:
                content = path.read_bytes()
            except OSError as error:
                raise _refused(f"{setting} can't be read: {error.strerror}") from error
            files.write(self._directory, name, content, owner=self._owner, mode=0o600)
        line = ["ssh", "-F", "none", "-i", f"{self._seen}/{_KEY}"]
        return " ".join([*line, *(f"-o {name}={value}" for name, value in options.items())])

    def _git(self, command: Command, *, stdin: bytes | None = None, most_bytes: int = _LIST_BYTES) -> bytes:
        """Run git and return its standard output."""
        settings, tools = self._settings, self._tools
        confinement = None
        if tools is not None:
            local = (Path(self._address.repository),) if self._address.scheme == "file" else ()
            confinement = sandbox.Confinement(tools, work=self._directory, read_only=local)
        launch = gateway.Launch(
            self._program,
            command,
            self._environment(),
            self._directory,
            confinement,
            stdin=stdin,
            writable=(self._directory,),
        )
        limits = gateway.Limits(
            timeout_seconds=settings.git_timeout_seconds,
            grace_seconds=_GRACE_SECONDS,
            output_bytes=most_bytes,
            tree=TreeLimits(processes=_PROCESSES, disk_bytes=settings.git_disk_mb * 1024 * 1024),
        )
        ended = gateway.run(launch, limits=limits, capture_stdout=True)
        if ended.exceeded == "timeout":
            raise _failed(self._address, f"it took longer than {settings.git_timeout_seconds:g} s")
        if ended.exceeded is not None:
            raise _failed(self._address, f"it went over its limit of {ended.exceeded} (SLUICE_GIT_DISK_MB)")
        if ended.exit_code != 0:
            raise _failed(self._address, _last_words(ended.stderr))
        return ended.stdout

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": DEFAULT_PATH,
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": f"{self._seen}/{git_commands.CONFIGURATION}",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "SSH_ASKPASS": "false",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
        }

    def _entries(self, commit: str) -> list[Entry]:
        address = self._address
        listed = _parse(self._git(git_commands.GitListCommand(commit, address.path)))
        if not listed:
            raise _failed(address, f"there is nothing at {address.path or 'its top'!r} of commit {commit[:12]}")
        below = f"{address.path}/" if address.path else ""
        is_one = [item.path for item in listed] == [address.path]
        named = {(item.path.rpartition("/")[2] if is_one else item.path.removeprefix(below)): item for item in listed}
        contents = self._contents(list(named.values()))
        found: dict[str, Entry] = {}
        links: dict[str, str] = {}
        for name, item in named.items():
            content = contents[item.object_id]
            if stat.S_ISLNK(item.mode):
                links[name] = content.decode(errors="replace")
            else:
                found[name] = Entry(name, content, bool(item.mode & 0o111))
        return gather(found, links, self._limits)

    def _contents(self, listed: list[_Listed]) -> dict[str, bytes]:
        total = sum(item.size for item in listed)
        if total > self._limits.unpacked_bytes or len(listed) > self._limits.entries:
            raise _refused(
                f"the path holds {len(listed)} files with {total} bytes, and may hold {self._limits.entries} with "
                f"{self._limits.unpacked_bytes}; name a directory inside it"
            )
        if any(stat.S_ISLNK(item.mode) and item.size > _LINK_BYTES for item in listed):
            raise _refused("a link in it is longer than any path")
        wanted = list(dict.fromkeys(item.object_id for item in listed))
        request = "".join(f"{object_id}\n" for object_id in wanted).encode()
        return _objects(self._git(git_commands.GitReadCommand(), stdin=request, most_bytes=total + 128 * len(listed)))


def _parse(output: bytes) -> list[_Listed]:
    """Read what `ls-tree -z --long` says: ``mode SP type SP id SP+ size TAB path``, each ended by NUL."""
    found = []
    for line in output.split(b"\0"):
        if not line:
            continue
        facts, _, name = line.partition(b"\t")
        mode, kind, object_id, size = facts.decode("ascii").split()
        path = name.decode(errors="surrogateescape")
        if kind == "commit":
            raise _refused(f"{path!a} is a submodule, and those are not fetched")
        found.append(_Listed(int(mode, 8), object_id, int(size), path))
    return found


def _objects(output: bytes) -> dict[str, bytes]:
    """Read what `cat-file --batch` says: ``id SP type SP size LF content LF`` of each object."""
    found: dict[str, bytes] = {}
    position = 0
    while position < len(output):
        end = output.index(b"\n", position)
        object_id, _, size = output[position:end].decode("ascii").split()
        start = end + 1
        found[object_id] = output[start : start + int(size)]
        position = start + int(size) + 1
    return found


def _last_words(stderr: bytes) -> str:
    """Return the end of what git said; a server speaks there, too, so nothing but printable text is kept."""
    said = one_line(stderr.decode(errors="replace"))
    return f"git said: {said[-_SAID:]}" if said else "git said nothing"


def _refused(problem: str) -> GitSourceRefused:
    return GitSourceRefused(
        f"The git source can't be used: {problem}.", errors=[{"field": "policy_set_uri", "message": problem}]
    )


def _failed(address: GitAddress, problem: str) -> GitFetchFailed:
    where = f"{address.remote} at {address.ref}"
    return GitFetchFailed(
        f"{where} can't be fetched: {problem}.", errors=[{"field": "policy_set_uri", "message": problem}]
    )
