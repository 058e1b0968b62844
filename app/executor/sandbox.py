"""The sandbox: a minimal root, built by bubblewrap around one command. Pure: it builds arguments and starts nothing.

Deny by default: the process sees a read-only `/usr`, the few files of `/etc` that name resolution and TLS need, its
own working directory, temporary directory and home, and what is bound by name. It has its own PID, IPC, UTS and mount
namespaces and its own `/proc`; the network is shared. When the worker is root the command runs under an unprivileged
uid with no capability left; otherwise a user namespace does the same.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

# The fixed path that plan and apply both see, whatever the machine: a plan records where it was made.
WORK = "/workspace"
HOME = "/home/engine"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - private, too
TEMPORARY = "/tmp"  # noqa: S108 - a private directory inside the sandbox
PROGRAMS = "/sluice/bin"
CLI_CONFIG = "/sluice/cli.tfrc"
UNPRIVILEGED_ID = 61234

_ETC = (
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/protocols",
    "/etc/services",
    "/etc/gai.conf",
    "/etc/host.conf",
)
_LIBRARIES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True)
class SandboxTools:
    """What was found and proved to work here: bubblewrap, and how it drops privileges.

    ``mode`` is ``privileged`` (the worker is root: setpriv takes uid and capabilities away inside) or ``user``
    (a user namespace).
    """

    bwrap: Path
    mode: Literal["privileged", "user"]
    setpriv: Path | None = None
    user_id: int = UNPRIVILEGED_ID

    @property
    def owner_id(self) -> int | None:
        """Return the uid that must own what the process writes to; None when it is the worker's own."""
        return self.user_id if self.mode == "privileged" else None


@dataclass(frozen=True)
class Confinement:
    """What one sandboxed command may see. Paths in ``read_only`` keep their place; ``programs`` go to `/sluice/bin`.

    ``work``, ``temporary`` and ``home`` are directories of this run on the host. ``files`` are contents that exist
    only inside (path to bytes). ``has_network`` False leaves loopback only.
    """

    tools: SandboxTools
    work: Path | None = None
    temporary: Path | None = None
    home: Path | None = None
    programs: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    has_network: bool = True


def program_path(program: Path) -> str:
    """Return where ``program`` lies inside the sandbox."""
    return f"{PROGRAMS}/{program.name}"


def inside(confinement: Confinement, directory: Path) -> str:
    """Return the path inside the sandbox of a host's ``directory``: below `/workspace`, or unchanged."""
    if confinement.work is not None and directory.is_relative_to(confinement.work):
        return str(PurePosixPath(WORK, directory.relative_to(confinement.work)))
    return str(directory)


def wrap(
    confinement: Confinement,
    program: str,
    arguments: Sequence[str],
    *,
    directory: str,
    status_descriptor: int | None,
    data_descriptors: dict[str, int],
    gate_descriptor: int | None = None,
    filter_descriptor: int | None = None,
) -> tuple[str, ...]:
    """Return bubblewrap's arguments that run ``program`` confined.

    ``data_descriptors`` gives, for each path of ``files`` and for the generated `/etc/passwd` and `/etc/group`, an
    open descriptor to read it from. ``status_descriptor`` receives the sandbox's first process id as JSON; the command
    begins once something can be read from ``gate_descriptor``, or it is closed. ``filter_descriptor`` holds a filter of
    system calls.
    """
    tools = confinement.tools
    line = [str(tools.bwrap), "--die-with-parent", "--new-session"]
    line += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if tools.mode == "user":
        line.append("--unshare-user")
    if not confinement.has_network:
        line.append("--unshare-net")
    line += _root(confinement)
    for path, descriptor in data_descriptors.items():
        line += _parents(path)
        line += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    line += ["--remount-ro", "/", "--chdir", directory]
    if status_descriptor is not None:
        line += ["--info-fd", str(status_descriptor)]
    if gate_descriptor is not None:
        line += ["--block-fd", str(gate_descriptor)]
    if filter_descriptor is not None:
        line += ["--seccomp", str(filter_descriptor)]
    line += ["--cap-drop", "ALL"]
    if tools.mode == "privileged":
        line += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP", "--"]
        line += [str(tools.setpriv), f"--reuid={tools.user_id}", f"--regid={tools.user_id}", "--clear-groups"]
        line += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
    else:
        line.append("--")
    return (*line, program, *arguments)


def account_files(user_id: int) -> dict[str, bytes]:
    """Return a passwd and a group file that hold root and the engine's account only (ssh and git want an entry)."""
    return {
        "/etc/passwd": (
            f"root:x:0:0:root:/root:/usr/sbin/nologin\nengine:x:{user_id}:{user_id}::{HOME}:/bin/sh\n"
        ).encode(),
        "/etc/group": f"root:x:0:\nengine:x:{user_id}:\n".encode(),
    }


def _root(confinement: Confinement) -> list[str]:
    line = list(_system_binds())
    if confinement.temporary is None:
        line += ["--perms", "1777", "--tmpfs", TEMPORARY]
    for source, target in (
        (confinement.temporary, TEMPORARY),
        (confinement.home, HOME),
        (confinement.work, WORK),
    ):
        if source is not None:
            line += [*_parents(target), "--bind", str(source), target]
    # After the private directories: a mirror may lie below /tmp, and would be hidden by it.
    for path in confinement.read_only:
        if path.exists():
            line += [*_parents(str(path)), "--ro-bind", os.path.realpath(path), str(path)]
    for program in confinement.programs:
        target = program_path(program)
        line += [*_parents(target), "--ro-bind", os.path.realpath(program), target]
    return line


@lru_cache(maxsize=256)
def _parents(path: str) -> tuple[str, ...]:
    """Return arguments that make the directories above ``path``; by itself bubblewrap makes them 0700, for root."""
    line: list[str] = []
    for parent in reversed(Path(path).parents[:-1]):
        if not parent.is_relative_to("/usr"):
            line += ["--perms", "0755", "--dir", str(parent)]
    return tuple(line)


@lru_cache(maxsize=1)
def _system_binds() -> tuple[str, ...]:
    """Return what every sandbox sees of the machine; looked up once, since it does not change under a process."""
    line = ["--ro-bind", "/usr", "/usr"]
    for name in _LIBRARIES:
        path = Path("/", name)
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            line += ["--ro-bind", str(path), str(path)]
    # /etc/resolv.conf is often a link into /run, which is not there inside: so real paths are bound.
    for name in _ETC:
        if Path(name).exists():
            line += [*_parents(name), "--ro-bind", os.path.realpath(name), name]
    # One place in memory to write to, which the watchdog counts as memory, and nothing else below /dev.
    line += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", SHARED_MEMORY, "--remount-ro", "/dev"]
    return tuple(line)
