"""Finds engines and policy tools, and says which they are: path, version, SHA-256.

A binary's identity is remembered by device, inode, size and time of change, in memory and in a small file of the cache
directory, so that a run pays for neither `version` nor hashing a hundred megabytes.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from app.core.settings import Settings
from app.executor import gateway
from app.executor.commands import OpaVersionCommand, VersionCommand
from app.executor.environment import DEFAULT_PATH
from app.executor.errors import EngineMissing, ProcessFailed, ToolMissing

EngineKind = Literal["tofu", "terraform"]
_LIMITS = gateway.Limits(timeout_seconds=30, grace_seconds=1, output_bytes=1024 * 1024)
_OPA_VERSION = re.compile(r"^Version:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Tool:
    """One binary on this machine."""

    kind: str
    path: Path
    version: str
    sha256: str


_known: dict[str, tuple[str, str, str]] = {}


def find_engine(settings: Settings, kind: EngineKind | None = None) -> Tool:
    """Return the engine to use: ``SLUICE_ENGINE``, else the tools cache, else the PATH; tofu before terraform.

    ``kind`` asks for one of the two. Raises ``EngineMissing`` when there is none.
    """
    if settings.engine is not None:
        tool = _identify(settings.engine, None)
        if kind is not None and tool.kind != kind:
            raise EngineMissing(
                f"SLUICE_ENGINE names {tool.kind} {tool.version}, but the stack asks for {kind}. "
                f"Unset SLUICE_ENGINE, or point it to {kind}.",
                tool=kind,
            )
        return tool
    wanted: tuple[EngineKind, ...] = (kind,) if kind is not None else ("tofu", "terraform")
    for name in wanted:
        path = _look_up(settings, name)
        if path is not None:
            return _identify(path, name)
    raise EngineMissing(
        f"No engine was found: {' or '.join(wanted)} is neither in {tools_directory(settings)} nor on the PATH. "
        "Run `make tools`, install OpenTofu or Terraform, or set SLUICE_ENGINE to the binary.",
        tool=wanted[0],
    )


def find_engines(settings: Settings) -> list[Tool]:
    """Return every engine that is there, in the order in which they are preferred."""
    found = []
    for name in ("tofu", "terraform"):
        path = _look_up(settings, name)
        if path is not None:
            found.append(_identify(path, name))
    return found


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


def _identify(path: Path, name: str | None) -> Tool:
    path = Path(os.path.realpath(path))
    try:
        facts = path.stat()
    except OSError as error:
        setting = "SLUICE_OPA" if name == "opa" else "SLUICE_ENGINE"
        raise (ToolMissing if name == "opa" else EngineMissing)(
            f"{path} can't be used: {error.strerror}. Correct {setting}, or run `make tools`.", tool=name or "engine"
        ) from error
    key = f"{path}:{facts.st_dev}:{facts.st_ino}:{facts.st_size}:{facts.st_mtime_ns}"
    if key not in _known:
        with contextlib.suppress(OSError, ValueError, TypeError):
            _known.update({k: tuple(v) for k, v in json.loads(_cache_file().read_text()).items() if k not in _known})
    if key not in _known:
        kind, version = _ask(path, name)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        _known[key] = (kind, version, sha256)
        _remember()
    kind, version, sha256 = _known[key]
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
