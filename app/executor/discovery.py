"""Finds engines and policy tools, and says which they are: path, version, SHA-256.

A binary's identity is remembered by device, inode, size and time of change, in memory and in a small file of the cache
directory, so that a run pays for neither `version` nor hashing a hundred megabytes.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from packaging.version import InvalidVersion, Version

from app.core.settings import Settings
from app.executor import checksums, gateway
from app.executor.commands import OpaVersionCommand, VersionCommand
from app.executor.environment import DEFAULT_PATH
from app.executor.errors import EngineMissing, EngineRefused, ProcessFailed, ToolMissing

EngineKind = Literal["tofu", "terraform"]
_KINDS: tuple[EngineKind, ...] = ("tofu", "terraform")
_log = logging.getLogger(__name__)
_LIMITS = gateway.Limits(timeout_seconds=30, grace_seconds=1, output_bytes=1024 * 1024)
_IN_DIRECTORY = re.compile(r"(tofu|terraform)[-_]v?(\d+\.\d+\.\d+\S*)")
_OPA_VERSION = re.compile(r"^Version:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Tool:
    """One binary on this machine."""

    kind: str
    path: Path
    version: str
    sha256: str


@dataclass(frozen=True)
class Candidate:
    """A place where an engine may lie. ``kind`` and ``version`` are what its name says; None: it has to be asked."""

    path: Path
    kind: EngineKind | None
    version: str | None = None
    has_own_list: bool = False


_known: dict[str, tuple[str, str, str]] = {}


def candidates(settings: Settings) -> list[Candidate]:
    """Return where engines lie, in the order in which they are preferred; none has been started.

    ``SLUICE_ENGINE``, else of each kind (tofu before terraform) the one of the tools cache, else that of the PATH;
    behind it those of that kind in ``SLUICE_ENGINES_DIR``, the newest first.
    """
    beside = _in_directory(settings.engines_dir) if settings.engines_dir is not None else []
    if settings.engine is not None:
        return [Candidate(settings.engine, None), *beside]
    found = []
    for name in _KINDS:
        path = _look_up(settings, name)
        if path is not None:
            found.append(Candidate(path, name))
        found += [candidate for candidate in beside if candidate.kind == name]
    return found


def identify(settings: Settings, candidate: Candidate) -> Tool:
    """Return which engine a candidate is, once its bytes have been found to be allowed.

    Raises ``EngineRefused``, ``EngineMissing`` and ``ToolMissing``.
    """
    lists = [settings.engine_checksums] if settings.engine_checksums is not None else []
    if candidate.has_own_list and settings.engines_dir is not None:
        lists.append(settings.engines_dir / checksums.LIST_NAME)
    tool = _identify(candidate.path, candidate.kind, [checksums.read(file) for file in lists])
    if candidate.version is not None and candidate.version != tool.version:
        raise EngineRefused(
            f"{candidate.path} is called version {candidate.version}, but says that it is {tool.version}. Rename it.",
            tool=tool.kind,
            file=str(candidate.path),
            expected=candidate.version,
            found=tool.version,
        )
    return tool


def find_engine(settings: Settings, kind: EngineKind | None = None) -> Tool:
    """Return the first engine there is; ``kind`` asks for one of the two. See `candidates` for the order.

    Raises ``EngineMissing`` when there is none, and ``EngineRefused`` when its checksum is another than it should be.
    """
    found = candidates(settings)
    present = []
    for candidate in found:
        if candidate.kind is None or kind in (None, candidate.kind):
            tool = identify(settings, candidate)
            if kind in (None, tool.kind):
                return tool
            present.append(tool)
    raise missing(settings, kind, present)


def missing(settings: Settings, kind: EngineKind | None, present: list[Tool]) -> EngineMissing:
    """Return the error that says that no engine of a kind is here, though those ``present`` are."""
    if settings.engine is not None and present:
        return EngineMissing(
            f"SLUICE_ENGINE names {present[0].kind} {present[0].version}, but the stack asks for {kind}. "
            f"Unset SLUICE_ENGINE, or point it to {kind}.",
            tool=kind or "engine",
        )
    wanted = (kind,) if kind is not None else _KINDS
    return EngineMissing(
        f"No engine was found: {' or '.join(wanted)} is neither in {tools_directory(settings)} nor on the PATH"
        f"{f' nor in {settings.engines_dir}' if settings.engines_dir is not None else ''}. "
        "Run `make tools`, install OpenTofu or Terraform, or set SLUICE_ENGINE to the binary.",
        tool=wanted[0],
    )


def find_engines(settings: Settings) -> list[Tool]:
    """Return every engine that is there and may be used, in the order in which they are preferred."""
    found = []
    for candidate in candidates(settings):
        try:
            found.append(identify(settings, candidate))
        except EngineRefused as error:
            _log.error("An engine is left out: %s", error)
    return found


def _in_directory(directory: Path) -> list[Candidate]:
    """Return the engines of a directory: `tofu-1.12.6`, or `tofu/1.12.6/tofu`."""
    has_own_list = (directory / checksums.LIST_NAME).exists()
    found: list[Candidate] = []
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise EngineMissing(
            f"SLUICE_ENGINES_DIR names {directory}, which can't be read: {error.strerror}. Make it, or unset it.",
            tool="engine",
        ) from error
    for name in names:
        match = _IN_DIRECTORY.fullmatch(name)
        for kind in _KINDS:
            if match is not None and match.group(1) == kind:
                found.append(Candidate(directory / name, kind, match.group(2), has_own_list))
            elif name == kind and (directory / name).is_dir():
                found += [
                    Candidate(path, kind, path.parent.name, has_own_list)
                    for path in (directory / name).glob(f"*/{kind}")
                ]
    usable = [candidate for candidate in found if _has_version(candidate) and os.access(candidate.path, os.X_OK)]
    return sorted(usable, key=lambda candidate: Version(candidate.version or "0"), reverse=True)


def _has_version(candidate: Candidate) -> bool:
    try:
        return bool(Version(candidate.version or ""))
    except InvalidVersion:
        return False


def find_opa(settings: Settings) -> Tool:
    """Return the opa binary: ``SLUICE_OPA``, else the tools cache, else the PATH. Raises ``ToolMissing``."""
    path = settings.opa or _look_up(settings, "opa")
    if path is None:
        raise ToolMissing(
            f"opa is neither in {tools_directory(settings)} nor on the PATH. Run `make tools`, or set SLUICE_OPA.",
            tool="opa",
        )
    return _identify(path, "opa")


def tools_directory(settings: Settings) -> Path:
    """Return the directory that `make tools` puts its binaries into."""
    root = settings.tools_dir or cache_directory() / "tools"
    return root / "bin"


def cache_directory() -> Path:
    """Return Sluice's cache directory: ``$XDG_CACHE_HOME/sluice``, else ``~/.cache/sluice``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def _look_up(settings: Settings, name: str) -> Path | None:
    cached = tools_directory(settings) / name
    if os.access(cached, os.X_OK) and cached.is_file():
        return cached
    found = shutil.which(name)
    return Path(found) if found else None


def _identify(path: Path, name: str | None, lists: Sequence[checksums.Checksums] = ()) -> Tool:
    named, path = path, Path(os.path.realpath(path))
    try:
        facts = path.stat()
    except OSError as error:
        setting = "SLUICE_OPA" if name == "opa" else "SLUICE_ENGINE"
        raise (ToolMissing if name == "opa" else EngineMissing)(
            f"{path} can't be used: {error.strerror}. Correct {setting}, or run `make tools`.", tool=name or "engine"
        ) from error
    # The time of change can't be set back, as that of modification can.
    key = f"{path}:{facts.st_dev}:{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}"
    if key not in _known:
        with contextlib.suppress(OSError, ValueError, TypeError):
            _known.update({k: tuple(v) for k, v in json.loads(_cache_file().read_text()).items() if k not in _known})
    if key not in _known:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        for allowed in lists:
            allowed.check(named, sha256)
        _known[key] = (*_ask(path, name), sha256)
        _remember()
    kind, version, sha256 = _known[key]
    for allowed in lists:
        allowed.check(named, sha256)
    return Tool(kind, path, version, sha256)


def _ask(path: Path, name: str | None) -> tuple[str, str]:
    """Return the kind and the version that the binary itself tells."""
    command = OpaVersionCommand() if name == "opa" else VersionCommand()
    environment = {"PATH": DEFAULT_PATH, "HOME": "/nonexistent", "CHECKPOINT_DISABLE": "1"}
    launch = gateway.Launch(path, command, environment, Path("/"))
    try:
        ended = gateway.run(launch, limits=_LIMITS, capture_stdout=True)
    except ProcessFailed as error:
        raise ToolMissing(f"{path} can't be run: {error.detail}", tool=name or path.name) from error
    text = ended.stdout.decode(errors="replace")
    if name == "opa":
        found = _OPA_VERSION.search(text)
        if ended.exit_code == 0 and found:
            return "opa", found.group(1)
    else:
        for document in _documents(text):
            if "terraform_version" in document:
                # Both call the field so; only OpenTofu's text output bears its name.
                return name or _kind_by_text(path), str(document["terraform_version"])
    raise ToolMissing(
        f"{path} did not tell its version (exit code {ended.exit_code}): is it really {name or 'an engine'}?",
        tool=name or path.name,
    )


def _documents(text: str) -> Iterator[dict[str, object]]:
    with contextlib.suppress(ValueError):
        document = json.loads(text)
        if isinstance(document, dict):
            yield document


def _kind_by_text(path: Path) -> EngineKind:
    """Tell OpenTofu from Terraform by what the binary holds: its own module path."""
    with path.open("rb") as file:
        overlap = b""
        while chunk := file.read(4 * 1024 * 1024):
            if b"github.com/opentofu/opentofu" in overlap + chunk:
                return "tofu"
            overlap = chunk[-64:]
    return "tofu" if "tofu" in path.name else "terraform"


def _cache_file() -> Path:
    return cache_directory() / "binaries.json"


def _remember() -> None:
    """Keep what is known for the next process. Without a writable cache it is found out again."""
    target = _cache_file()
    with contextlib.suppress(OSError):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        temporary.write_text(json.dumps(_known))
        temporary.chmod(0o600)
        temporary.rename(target)


def describe(tool: Tool) -> dict[str, str]:
    """Return the tool as plain values, for logs and status pages."""
    return {key: str(value) for key, value in asdict(tool).items()}
