"""The shared provider cache: packages that the supervisor has admitted, each with a manifest of what it must be.

Layout, below one directory for each set of the operator's installation rules: `packages` is an unpacked filesystem
mirror, the only part that engines see, and read-only; `manifests` says of each package its checksums; `staging` holds
what is being fetched; `locks`, `notes` and `set-aside` are ours. A package enters by one rename, after its manifest; it
is never changed, and leaves only by being set aside when it is not what its manifest says.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.canonical import sha256_hex
from app.executor import constraints, lock_file
from app.executor.cancel import CancelToken
from app.executor.errors import PackageRefused
from app.executor.package_files import file_facts, make_read_only, package_hash
from app.executor.tree import wait_for
from app.executor.trees import remove_tree

_log = logging.getLogger(__name__)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
PLATFORM = f"linux_{_ARCHITECTURES.get(os.uname().machine, os.uname().machine)}"
_NOTE_SECONDS = 3600.0
_SET_ASIDE_SECONDS = 14 * 86_400.0
_LOOK_SECONDS = 0.05
_FORMAT = 1


@dataclass(frozen=True)
class Package:
    """An admitted package: where it lies, its own checksum (`h1:`), and all that its registry vouched for."""

    address: str
    version: str
    path: Path
    h1: str
    hashes: frozenset[str]


class PluginCache:
    """One cache directory; ``rules`` tells apart what was fetched under other installation rules of the operator."""

    def __init__(self, directory: Path, rules: str = "") -> None:
        root = directory / f"rules-{rules}" if rules else directory
        self.packages = root / "packages"
        self._manifests = root / "manifests"
        self._staging = root / "staging"
        self._locks = root / "locks"
        self._notes = root / "notes"
        self._set_aside = root / "set-aside"

    def open(self) -> bool:
        """Make the directories. Returns whether packages can be admitted; False where the directory can't be written.

        Raises ``OSError`` when there is no directory to read either.
        """
        try:
            if not self.packages.is_dir():
                self.packages.mkdir(parents=True, exist_ok=True)
                _let_engines_in(self.packages, self.packages)
            for directory in (self._manifests, self._staging, self._locks, self._notes, self._set_aside):
                directory.mkdir(mode=0o700, exist_ok=True)
            return os.access(self.packages, os.W_OK)
        except OSError:
            if self.packages.is_dir():
                return False
            raise

    def find(self, address: str, version: str) -> Package | None:
        """Return a package that is as it was admitted; one that isn't is set aside, and None returned."""
        name = f"{address}/{version}/{PLATFORM}"
        path, noted = self.packages / name, self._manifests / f"{name}.json"
        try:
            manifest = json.loads(noted.read_text())
            hashes = frozenset(manifest["hashes"])
            h1, files = str(manifest["h1"]), manifest["files"]
        except FileNotFoundError:
            # Manifests come first, so a package without one was put there by somebody else.
            if path.exists() and not noted.exists():
                self._remove(name, "it has no manifest")
            return None
        except (OSError, ValueError, KeyError, TypeError):
            self._remove(name, "its manifest can't be read")
            return None
        if not path.is_dir():
            return None
        if file_facts(path) != files and not self._check(name, h1):
            return None
        return Package(address, version, path, h1, hashes)

    def satisfies(self, address: str, constraint: str) -> bool:
        """Return whether a version is here that meets a constraint."""
        return any(
            _meets(constraint, version) and self.find(address, version) is not None
            for version in self._versions(address)
        )

    def is_sound(self, address: str) -> bool:
        """Return whether everything that engines would find of a provider is as it was admitted.

        False where something else can't be set aside, since the directory is not ours to write.
        """
        for version in self._versions(address):
            if self.find(address, version) is None and (self.packages / address / version / PLATFORM).exists():
                return False
        return True

    def _versions(self, address: str) -> list[str]:
        try:
            return sorted(path.name for path in (self.packages / address).iterdir())
        except OSError:
            return []

    def holds_link(self, target: str) -> bool:
        """Return whether a link leads to a package that is as it was admitted."""
        path = Path(os.path.normpath(target))
        address, version, platform = str(path.parent.parent.relative_to(self.packages)), path.parent.name, path.name
        if platform != PLATFORM or not lock_file.is_address(address) or not lock_file.is_version(version):
            return False
        return self.find(address, version) is not None

    def admit(self, source: Path, address: str, version: str, *, hashes: frozenset[str], by: str) -> Package:
        """Move a package, fetched and checked by an engine that ran alone, into the cache.

        ``hashes`` are those that the engine's lock file then held, ``by`` says which engine it was. The caller holds
        the package's lock, and no process that could write to ``source`` lives. Raises ``PackageRefused`` when it holds
        anything but files and directories, is too large, or is not what the lock file says.
        """
        name = f"{address}/{version}/{PLATFORM}"
        if not lock_file.is_address(address) or not lock_file.is_version(version):
            raise PackageRefused(f"{address} {version} is no provider's address and version.", package=name)
        make_read_only(source, name)
        h1 = package_hash(source)
        if h1 not in hashes:
            raise PackageRefused(
                f"The package {address} {version} has the checksum {h1}, which the engine's lock file does not hold.",
                package=name,
            )
        target = self.packages / name
        if target.exists():
            self._remove(name, "it has no manifest that it matches")
        manifest = {
            "format": _FORMAT,
            "address": address,
            "version": version,
            "platform": PLATFORM,
            "h1": h1,
            "hashes": sorted(hashes),
            "fetched_by": by,
            "files": file_facts(source),
        }
        self._write_manifest(name, manifest)
        target.parent.mkdir(parents=True, exist_ok=True)
        _let_engines_in(target.parent, self.packages)
        source.chmod(0o755)
        source.rename(target)
        target.chmod(0o555)
        _sync(target.parent)
        return Package(address, version, target, h1, hashes)

    def check_all(self) -> list[str]:
        """Hash every package; return the names of those that were set aside. Takes a second or two for each GB."""
        damaged = []
        for path in sorted(self._manifests.rglob("*.json")):
            name = str(path.relative_to(self._manifests).with_suffix(""))
            try:
                h1 = str(json.loads(path.read_text())["h1"])
            except (OSError, ValueError, KeyError, TypeError):
                h1 = ""
            if (self.packages / name).is_dir() and not self._check(name, h1):
                damaged.append(name)
        return damaged

    def sweep(self) -> None:
        """Remove what fetches that were killed left behind, old notes, and what was set aside weeks ago."""
        for path in self._set_aside.iterdir():
            try:
                # A rename, by which it came here, is a change of the entry, not of what is in it.
                if path.lstat().st_ctime < time.time() - _SET_ASIDE_SECONDS:
                    remove_tree(path)
            except OSError as error:
                _log.warning("what was set aside stays: %s", error, extra={"package": path.name})
        for note in self._notes.iterdir():
            with contextlib.suppress(OSError):
                if note.stat().st_mtime < time.time() - _NOTE_SECONDS:
                    note.unlink()
        with self._locked(self._locks / "staging", None) as is_locked:
            for path in self._staging.iterdir() if is_locked else ():
                try:
                    _remove_unheld(path)
                except Exception as error:
                    # One that can't be removed must not keep everybody from fetching, now and each time again.
                    _log.exception("What a fetch left in %s was set aside: %s.", path.name, error)
                    with contextlib.suppress(OSError):
                        path.rename(self._set_aside / f"staging-{path.name}-{int(time.time())}")

    @contextlib.contextmanager
    def stage(self) -> Iterator[Path]:
        """Give an empty, private directory on the cache's file system; it is gone afterwards."""
        with self._locked(self._locks / "staging", None):
            path = self._staging / secrets.token_hex(8)
            path.mkdir(mode=0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            try:
                remove_tree(path)
            except OSError as error:
                # The next sweep tries again.
                _log.warning("A directory that a provider was fetched into is left: %s.", error)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def hold(self, address: str, cancel: CancelToken) -> Iterator[bool]:
        """Hold the right to fetch a provider's packages, on this machine and where the file system has locks, alone.

        Gives False when an order to stop came while waiting. A holder that dies gives it up.
        """
        with self._locked(self._locks / sha256_hex(address.encode())[:32], cancel) as is_held:
            yield is_held

    def note_failure(self, address: str, constraint: str) -> None:
        """Note that a fetch failed, so that those who waited for it don't try the same one after the other."""
        with contextlib.suppress(OSError):
            self._note(address, constraint).touch()

    def failed_since(self, address: str, constraint: str, since: float) -> bool:
        """Return whether a fetch failed after ``since`` (seconds of the epoch)."""
        try:
            return self._note(address, constraint).stat().st_mtime >= since
        except OSError:
            return False

    def _note(self, address: str, constraint: str) -> Path:
        return self._notes / sha256_hex(f"{address} {constraint}".encode())[:32]

    def _check(self, name: str, h1: str) -> bool:
        """Hash a package whose files look changed. Returns whether it is what it was; sets it aside when not."""
        path = self.packages / name
        try:
            if package_hash(path) != h1:
                self._remove(name, "its content is not what was admitted")
                return False
            manifest = json.loads((self._manifests / f"{name}.json").read_text())
            if manifest["files"] != file_facts(path):
                # Copied or restored: as good as it was, and not to be hashed again each time.
                with contextlib.suppress(OSError):
                    self._write_manifest(name, {**manifest, "files": file_facts(path)})
        except (OSError, PackageRefused, ValueError, KeyError) as error:
            self._remove(name, str(error))
            return False
        return True

    def _remove(self, name: str, reason: str) -> None:
        _log.warning("The provider package %s was set aside: %s.", name, reason)
        kept = self._set_aside / f"{name.replace('/', '_')}-{int(time.time())}-{secrets.token_hex(4)}"
        path = self.packages / name
        with contextlib.suppress(OSError):
            path.chmod(0o755)
        try:
            path.rename(kept)
        except FileNotFoundError:
            # Another run was faster.
            pass
        except OSError as error:
            _log.error("The provider package %s can't be set aside: %s.", name, error)
            return
        (self._manifests / f"{name}.json").unlink(missing_ok=True)

    def _write_manifest(self, name: str, manifest: dict[str, Any]) -> None:
        path = self._manifests / f"{name}.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        with temporary.open("w") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)

    @contextlib.contextmanager
    def _locked(self, path: Path, cancel: CancelToken | None) -> Iterator[bool]:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if cancel is None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield True
                return
            is_held = False
            while not is_held and cancel.requested() is None:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    is_held = True
                except BlockingIOError:
                    wait_for(cancel.fileno(), _LOOK_SECONDS)
            yield is_held
        finally:
            os.close(descriptor)


def _let_engines_in(directory: Path, top: Path) -> None:
    """Make directories from ``directory`` up to ``top`` readable by the engines' uid, whatever the umask is."""
    for path in (directory, *directory.parents):
        path.chmod(0o755)
        if path == top:
            return


def _meets(constraint: str, version: str) -> bool:
    try:
        if constraints.is_prerelease(version) and version not in constraint:
            return False
        return constraints.allows(constraint, version)
    except ValueError:
        return False


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_unheld(path: Path) -> None:
    """Remove a staging directory, unless the fetch that it belongs to goes on."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(path)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
