"""Git's typed commands: one commit of somebody's repository is fetched and read, and nothing is ever checked out.

Everything that a repository or an address could bring along as an option is refused here, and all that git would take
from the machine (hooks, credentials, other protocols) is off in the configuration that `configuration` writes.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

REPOSITORY = "repository.git"
CONFIGURATION = "gitconfig"
_REF = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./+@=-]*[A-Za-z0-9_+=-])?")
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ADDRESS = re.compile(r"(https|http|ssh|file)://[!-~]+")


def is_ref(text: str) -> bool:
    """Whether ``text`` names one branch, tag or commit: no option, no pattern, no mapping (git-check-ref-format)."""
    parts = text.split("/")
    return (
        _REF.fullmatch(text) is not None
        and len(text) <= 200
        and ".." not in text
        and "@{" not in text
        and all(part and not part.startswith(".") and not part.endswith((".lock", ".")) for part in parts)
    )


def is_object(text: str) -> bool:
    """Whether ``text`` is the full id of an object."""
    return _OBJECT.fullmatch(text) is not None


@dataclass(frozen=True)
class GitInitCommand:
    """``git init`` of an empty repository without a working tree, hooks or templates."""

    name: ClassVar[str] = "git init"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ("init", "--quiet", "--bare", "--template=", REPOSITORY)


@dataclass(frozen=True)
class GitFetchCommand:
    """``git fetch`` of one commit, without its history, tags or submodules. Its id is in ``FETCH_HEAD`` then."""

    address: str
    ref: str
    name: ClassVar[str] = "git fetch"

    def __post_init__(self) -> None:
        if _ADDRESS.fullmatch(self.address) is None:
            raise ValueError(f"{self.address!r} is no address that git is given")
        if not is_ref(self.ref):
            raise ValueError(f"{self.ref!r} is no branch, tag or commit")

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance")
        return (f"--git-dir={REPOSITORY}", "fetch", *options, "--", self.address, self.ref)


@dataclass(frozen=True)
class GitCommitCommand:
    """``git rev-parse`` of the commit that was fetched."""

    name: ClassVar[str] = "git rev-parse"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return (f"--git-dir={REPOSITORY}", "rev-parse", "--verify", "--end-of-options", "FETCH_HEAD^{commit}")


@dataclass(frozen=True)
class GitListCommand:
    """``git ls-tree`` of all files of a commit at or below ``path``: mode, type, id, size and path, ended by NUL."""

    commit: str
    path: str = ""
    name: ClassVar[str] = "git ls-tree"

    def __post_init__(self) -> None:
        if not is_object(self.commit):
            raise ValueError(f"{self.commit!r} is no commit")

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        wanted = ("--", self.path) if self.path else ()
        return (f"--git-dir={REPOSITORY}", "ls-tree", "-r", "-z", "--long", "--full-tree", self.commit, *wanted)


@dataclass(frozen=True)
class GitReadCommand:
    """``git cat-file --batch``: the objects whose ids are on standard input, a line each."""

    name: ClassVar[str] = "git cat-file"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return (f"--git-dir={REPOSITORY}", "cat-file", "--batch")


def configuration(protocols: Collection[str], *, ssh: str = "", pins: Collection[str] = ()) -> str:
    """Return the only configuration that git reads.

    ``protocols`` are those that it may speak; ``pins`` say where a host lies (``HOST:PORT:ADDRESS``), so that git asks
    nobody again; ``ssh`` is the command line for that protocol.
    """
    allowed = "".join(f'[protocol "{name}"]\n\tallow = always\n' for name in sorted(protocols))
    pinned = "".join(f"\tcurloptResolve = {_quoted(pin)}\n" for pin in pins)
    return (
        "[protocol]\n\tallow = never\n"
        f"{allowed}"
        "[http]\n\tfollowRedirects = false\n\temptyAuth = false\n\tlowSpeedLimit = 1024\n\tlowSpeedTime = 20\n"
        f"{pinned}"
        "[core]\n\thooksPath = /dev/null\n\taskPass = \n\tfsmonitor = false\n"
        f"\tsshCommand = {_quoted(ssh or 'false')}\n"
        "[credential]\n\thelper = \n"
        "[init]\n\tdefaultBranch = main\n"
        "[fetch]\n\trecurseSubmodules = false\n\twriteCommitGraph = false\n"
        "[transfer]\n\tbundleURI = false\n"
        "[submodule]\n\trecurse = false\n"
        "[gc]\n\tauto = 0\n"
        # Repositories of the machine (file://) belong to somebody else than whom git runs as.
        "[safe]\n\tdirectory = *\n"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
