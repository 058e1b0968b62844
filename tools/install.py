#!/usr/bin/env python3
"""Put pinned ``tofu`` and ``opa`` into a cache outside the checkout, and bubblewrap on the machine.

By name also what tests talk to: ``fake-gcs-server`` and ``empty-provider`` (built with Go), ``azurite`` (by npm, from a
committed lock file); and ``nginx``, the distribution's, unpacked into the cache.
``SLUICE_TEST_CLOUDS=off`` leaves the former out.

Where there is Go they are built, with their sources pinned by checksum (``tools/tofu/go.sum``, Go's checksum
database); else the official release is fetched and its SHA-256 verified. What is there already is left alone, so a
second call takes a moment. Standard library only: it runs before anything is installed.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import nginx

FETCH_TIMEOUT_SECONDS = 60


class ToolError(Exception):
    """A tool could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Tool:
    """One pinned binary: how it is built, and which file of its release holds it."""

    name: str
    version: str
    build_directory: Path | None
    build_arguments: tuple[str, ...]
    build_environment: tuple[tuple[str, str], ...]
    release_url: str
    asset: str
    published_checksums: str

    def asset_url(self, system: str, machine: str) -> str:
        """Return the address of the release's file for one platform."""
        return f"{self.release_url}/{self.asset.format(system=system, machine=machine)}"

    def checksums_url(self, system: str, machine: str) -> str:
        """Return the address of the checksums that the release publishes."""
        return f"{self.release_url}/{self.published_checksums.format(system=system, machine=machine)}"


TOFU = Tool(
    name="tofu",
    version="1.12.6",
    build_directory=HERE / "tofu",
    build_arguments=(
        "build",
        "-mod=readonly",
        "-trimpath",
        "-ldflags=-s -w -X github.com/opentofu/opentofu/version.dev=no",
        "-o",
        "{target}/tofu",
        "github.com/opentofu/opentofu/cmd/tofu",
    ),
    build_environment=(("CGO_ENABLED", "0"),),
    release_url="https://github.com/opentofu/opentofu/releases/download/v1.12.6",
    asset="tofu_1.12.6_{system}_{machine}.zip",
    published_checksums="tofu_1.12.6_SHA256SUMS",
)
OPA = Tool(
    name="opa",
    version="1.22.0",
    build_directory=None,
    build_arguments=("install", "-ldflags=-s -w", "github.com/open-policy-agent/opa@v1.22.0"),
    build_environment=(("GOBIN", "{target}"),),
    release_url="https://github.com/open-policy-agent/opa/releases/download/v1.22.0",
    asset="opa_{system}_{machine}_static",
    published_checksums="opa_{system}_{machine}_static.sha256",
)
GCS = Tool(
    name="fake-gcs-server",
    version="1.52.3",
    build_directory=None,
    build_arguments=("install", "-ldflags=-s -w", "github.com/fsouza/fake-gcs-server@v1.52.3"),
    build_environment=(("GOBIN", "{target}"),),
    release_url="",
    asset="",
    published_checksums="",
)
PROVIDER = Tool(
    name="empty-provider",
    version="1",
    build_directory=HERE / "provider",
    build_arguments=("build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", "{target}/empty-provider", "."),
    build_environment=(("CGO_ENABLED", "0"),),
    release_url="",
    asset="",
    published_checksums="",
)
AZURITE = HERE / "azurite"
TOOLS = {tool.name: tool for tool in (TOFU, OPA, GCS, PROVIDER)}
SERVERS = (GCS.name, PROVIDER.name, AZURITE.name)


def tools_dir() -> Path:
    """Return the cache: ``SLUICE_TOOLS_DIR``, else below ``XDG_CACHE_HOME``, else below ``~/.cache``."""
    if chosen := os.environ.get("SLUICE_TOOLS_DIR"):
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "sluice" / "tools"


def installed_version(binary: Path) -> str | None:
    """Return what ``binary version`` says, such as ``1.12.6``, or None when it doesn't run."""
    try:
        done = subprocess.run(
            [binary, "version"], capture_output=True, text=True, timeout=30, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = done.stdout.split()
    return next((word.removeprefix("v") for word in words if word.removeprefix("v")[:1].isdigit()), None)


def release_platform() -> tuple[str, str]:
    """Return system and machine as releases spell them. Raises ``ToolError`` for what nobody releases for."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    system = platform.system().lower()
    if machine is None or system not in {"linux", "darwin"}:
        raise ToolError(
            f"There is no release for {platform.system()} on {platform.machine()}; install Go and try again."
        )
    return system, machine


def parse_checksums(text: str) -> dict[str, str]:
    """Read the format of ``sha256sum``: one ``digest  name`` a line, comments allowed."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 2 and len(parts[0]) == 64 and not line.startswith("#"):
            found[parts[1].removeprefix("*")] = parts[0].lower()
    return found


def verify(file: Path, expected: str) -> None:
    """Raise ``ToolError`` unless the SHA-256 of ``file`` is ``expected``."""
    with file.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != expected.lower():
        raise ToolError(
            f"{file.name} has SHA-256 {actual}, but {expected} is expected: it was damaged or replaced on its way. "
            "It was not installed."
        )


def fetch(url: str, target: Path) -> None:
    """Write what ``url`` answers to ``target``. Raises ``ToolError``."""
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_SECONDS) as answer, target.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (urllib.error.URLError, OSError) as error:
        raise ToolError(f"{url} can't be fetched: {error}") from error


def expected_checksum(tool: Tool, asset: str, system: str, machine: str, scratch: Path, pinned: Path) -> str:
    """Return the SHA-256 that ``asset`` must have: the committed one, else the one its release publishes."""
    committed = parse_checksums(pinned.read_text())
    if asset in committed:
        return committed[asset]
    listed = scratch / "published-checksums"
    fetch(tool.checksums_url(system, machine), listed)
    published = parse_checksums(listed.read_text())
    if asset not in published:
        raise ToolError(f"The release of {tool.name} {tool.version} publishes no checksum for {asset}.")
    return published[asset]


def from_release(tool: Tool, scratch: Path, pinned: Path = HERE / "checksums.txt") -> Path:
    """Fetch the official release into ``scratch``, verify it, and return the binary. Raises ``ToolError``."""
    system, machine = release_platform()
    url = tool.asset_url(system, machine)
    asset = url.rsplit("/", 1)[-1]
    expected = expected_checksum(tool, asset, system, machine, scratch, pinned)
    archive = scratch / asset
    fetch(url, archive)
    verify(archive, expected)
    if not asset.endswith(".zip"):
        return archive
    try:
        with zipfile.ZipFile(archive) as opened:
            return Path(opened.extract(tool.name, scratch))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ToolError(f"{asset} does not hold {tool.name}: {error}") from error


def from_source(tool: Tool, scratch: Path, go: str) -> Path:
    """Build with Go into ``scratch`` and return the binary. Raises ``ToolError``."""
    fill = {"target": str(scratch)}
    arguments = [argument.format(**fill) for argument in tool.build_arguments]
    environment = {**os.environ, **{name: value.format(**fill) for name, value in tool.build_environment}}
    done = subprocess.run([go, *arguments], cwd=tool.build_directory or scratch, env=environment, check=False)
    if done.returncode != 0:
        raise ToolError(f"`go {arguments[0]}` of {tool.name} {tool.version} failed with exit {done.returncode}.")
    return scratch / tool.name


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the cache's lock, so that two calls at once don't build twice."""
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_server(name: str, directory: Path) -> str:
    """Have what tests talk to under ``directory``; return a line that says what was done. Raises ``ToolError``.

    They don't say their version when asked, so a file beside them does.
    """
    built = TOOLS.get(name)
    wanted = _wanted_version(name)
    target = directory / "bin" / name if built is not None else directory / name
    note = directory / f".{name}.version"
    if target.exists() and note.is_file() and note.read_text() == wanted:
        return f"{name} is there: {target}"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=directory, prefix=f".{name}-") as scratch_name:
        scratch = Path(scratch_name)
        made = _built_server(built, scratch) if built is not None else _packaged_server(scratch)
        note.unlink(missing_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        made.replace(target)
        note.write_text(wanted)
    return f"{name} ({time.monotonic() - started:.0f} s): {target}"


def _wanted_version(name: str) -> str:
    """Return what tells this version of a test's tool from others: its number, or the digest of what makes it."""
    if name == GCS.name:
        return GCS.version
    files = ("main.go", "go.mod", "go.sum") if name == PROVIDER.name else ("package-lock.json",)
    directory = HERE / "provider" if name == PROVIDER.name else AZURITE
    return hashlib.sha256(b"".join((directory / file).read_bytes() for file in files)).hexdigest()


def _built_server(tool: Tool, scratch: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise ToolError("Go is needed to build it, and there is none: its tests are left out, and counted.")
    print(f"building {tool.name} {tool.version} with Go (minutes the first time) ...", flush=True)
    return from_source(tool, scratch, go)


def _packaged_server(scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ToolError("Node and npm are needed for it: install Node 20 or later, or set SLUICE_TEST_CLOUDS=off.")
    made = scratch / AZURITE.name
    shutil.copytree(AZURITE, made)
    # Nothing of these packages needs to run at their installation.
    arguments = ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run([npm, *arguments], cwd=made, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ToolError(f"`npm ci` of azurite failed with exit {done.returncode}.")
    return made


def install(tool: Tool, directory: Path) -> str:
    """Have ``tool`` under ``directory``/bin; return a line that says what was done. Raises ``ToolError``."""
    binary = directory / "bin" / tool.name
    if installed_version(binary) == tool.version:
        return f"{tool.name} {tool.version} is there: {binary}"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=directory, prefix=f".{tool.name}-") as scratch_name:
        scratch = Path(scratch_name)
        built, how, failure = None, "built with Go", ""
        if go := shutil.which("go"):
            print(f"building {tool.name} {tool.version} with Go (minutes the first time) ...", flush=True)
            try:
                built = from_source(tool, scratch, go)
            except ToolError as error:
                failure = f"{error} "
                print(f"{error} Trying the official release.", flush=True)
        if built is None:
            how = "official release, checksum verified"
            try:
                built = from_release(tool, scratch)
            except ToolError as error:
                raise ToolError(f"{failure}{error}") from error
        built.chmod(0o755)
        if (version := installed_version(built)) != tool.version:
            raise ToolError(f"What was made calls itself {version}, not {tool.version}; it was not installed.")
        binary.parent.mkdir(parents=True, exist_ok=True)
        built.replace(binary)
    return f"{tool.name} {tool.version} ({how}, {time.monotonic() - started:.0f} s): {binary}"


PACKAGE_MANAGERS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("apt-get", (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", "bubblewrap"))),
    ("dnf", (("install", "-y", "-q", "bubblewrap"),)),
    ("zypper", (("--non-interactive", "install", "bubblewrap"),)),
    ("pacman", (("-Sy", "--noconfirm", "bubblewrap"),)),
    ("apk", (("add", "--quiet", "bubblewrap"),)),
)


def install_bubblewrap() -> str:
    """Have ``bwrap`` from the distribution where that is possible; return a line that says what came of it."""
    if found := shutil.which("bwrap"):
        return f"bubblewrap is there: {found}"
    if platform.system() != "Linux":
        return "bubblewrap is for Linux only: engines run without a sandbox here."
    manager = next(((name, steps) for name, steps in PACKAGE_MANAGERS if shutil.which(name)), None)
    by_hand = (
        "Install the package bubblewrap, else engines run without a sandbox (SLUICE_SANDBOX=required refuses that)."
    )
    if manager is None:
        return f"No package manager that is known. {by_hand}"
    name, steps = manager
    elevate: list[str] = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode != 0:
            return f"Neither root nor sudo without a password. {by_hand}"
        elevate = [sudo, "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # The index may be stale while the package is installable all the same: only the last step decides.
    for step in steps:
        done = subprocess.run([*elevate, name, *step], env=environment, check=False)
    if done.returncode != 0 or shutil.which("bwrap") is None:
        return f"`{name}` could not install it (exit {done.returncode}). {by_hand}"
    return f"bubblewrap installed with {name}"


def install_nginx(directory: Path) -> str:
    """Have nginx under ``directory``; return a line that says what was done. Raises ``ToolError``."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".nginx-") as scratch:
        try:
            return nginx.install(directory, Path(scratch))
        except nginx.NginxMissing as error:
            raise ToolError(str(error)) from error


def engine_found(directory: Path) -> bool:
    """Whether tofu or terraform is on the PATH, or tofu in the cache."""
    return any(shutil.which(name) for name in ("tofu", "terraform")) or (directory / "bin" / "tofu").is_file()


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what was asked for; exit 1 when a binary could not be had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = (*TOOLS, AZURITE.name, nginx.NAME, "bubblewrap")
    usual = [name for name in known if name not in SERVERS]
    parser.add_argument("tool", nargs="*", default=usual, help=f"{', '.join(known)}; default: {', '.join(usual)}")
    parser.add_argument(
        "--unless-engine", action="store_true", help="do nothing where tofu or terraform is on the PATH or in the cache"
    )
    options = parser.parse_args(arguments)
    chosen: list[str] = options.tool
    if unknown := sorted(set(chosen) - set(known)):
        parser.error(f"unknown: {', '.join(unknown)}")
    directory = tools_dir()
    if options.unless_engine and engine_found(directory):
        return 0
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"{directory} can't be made ({error.strerror}). Set SLUICE_TOOLS_DIR to a writable directory.")
        return 1
    failed = False
    with only_one(directory):
        for name in chosen:
            is_server = name in SERVERS
            if is_server and os.environ.get("SLUICE_TEST_CLOUDS") == "off":
                continue
            try:
                if name == nginx.NAME:
                    print(install_nginx(directory), flush=True)
                elif is_server:
                    print(install_server(name, directory), flush=True)
                else:
                    print(install_bubblewrap() if name == "bubblewrap" else install(TOOLS[name], directory), flush=True)
            except ToolError as error:
                # Without a server its tests fail and say so; without an engine nothing works.
                failed = failed or not (is_server or name == nginx.NAME)
                print(f"{name}: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
