"""The operator's modules: directories of this server that specs may name by path.

A module is read with all local modules that it calls. Nothing outside the modules directory is ever read, whatever a
path or a symbolic link says.
"""

import os
import posixpath
from pathlib import Path

from app.configurations.archive import Entry, Limits, clean_path, is_dropped, is_module_file
from app.configurations.errors import ArchiveTooLarge, ModuleNotFound
from app.configurations.interface import read_interface

PREFIX = "modules"
"""Directory of the archive that the modules directory becomes, so that a root module can be laid out above it."""


def _missing(path: str, problem: str, remedy: str) -> ModuleNotFound:
    message = f"{path}: {problem}; {remedy}"
    return ModuleNotFound.of_field("module_source", message)


def _resolve(root: Path, path: str) -> Path:
    """Return the real directory of ``path`` below ``root``, which must be real already."""
    found = (root / path).resolve()
    if not found.is_relative_to(root):
        raise _missing(path, "leads out of the operator's modules", "name a directory that really lies below them")
    if not found.is_dir():
        known = sorted(item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))[:20]
        raise _missing(path, "is no directory of the operator's modules", f"there are: {', '.join(known) or 'none'}")
    return found


def read_module(modules_dir: Path, path: str, limits: Limits) -> list[Entry]:
    """Return the files of the module at ``path`` and of every local module it calls, named from ``modules/``.

    ``path`` is relative to ``modules_dir``. Raises ``ModuleNotFound``, ``ArchiveRefused`` or ``ArchiveTooLarge``.
    """
    if not modules_dir.is_dir():
        raise _missing(path, "there are no operator modules here", "set SLUICE_MODULES_DIR to their directory")
    root = modules_dir.resolve()
    entries: dict[str, Entry] = {}
    waiting, seen = [path], set[str]()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        files = _read_tree(root, _resolve(root, current), current, limits)
        entries.update((entry.path, entry) for entry in files)
        waiting += _called(files)
        _check_size(entries, limits)
    return [entries[name] for name in sorted(entries)]


def _called(files: list[Entry]) -> list[str]:
    """Return the modules directories, relative to the root, that the files' modules call by path."""
    by_directory: dict[str, dict[str, bytes]] = {}
    for entry in files:
        directory, name = posixpath.split(entry.path)
        if is_module_file(name):
            by_directory.setdefault(directory, {})[name] = entry.data
    called: list[str] = []
    for directory, contents in by_directory.items():
        for source in read_interface(contents).module_sources:
            if not source.startswith(("./", "../")):
                continue
            target = posixpath.normpath(posixpath.join(directory, source))
            if not target.startswith(f"{PREFIX}/"):
                raise _missing(
                    directory, f"calls the module {source!r} outside of the operator's modules", "move it below them"
                )
            called.append(target.removeprefix(f"{PREFIX}/"))
    return called


def _read_tree(root: Path, directory: Path, path: str, limits: Limits) -> list[Entry]:
    entries: list[Entry] = []
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not is_dropped(f"{name}/x"))
        for name in sorted(names):
            file = Path(folder) / name
            relative = posixpath.normpath(posixpath.join(path, file.relative_to(directory).as_posix()))
            if is_dropped(relative):
                continue
            real = file.resolve()
            if not real.is_relative_to(root):
                raise _missing(relative, "is a link that leaves the operator's modules", "copy the file in")
            if not real.is_file():
                raise _missing(relative, "is not a regular file", "remove it")
            if real.stat().st_size > limits.unpacked_bytes or len(entries) >= limits.entries:
                raise ArchiveTooLarge(
                    f"The module {path} exceeds {limits.unpacked_bytes} bytes or {limits.entries} files.",
                    limit_bytes=limits.unpacked_bytes,
                )
            entries.append(
                Entry(clean_path(f"{PREFIX}/{relative}"), real.read_bytes(), bool(real.stat().st_mode & 0o111))
            )
    return entries


def _check_size(entries: dict[str, Entry], limits: Limits) -> None:
    total = sum(len(entry.data) for entry in entries.values())
    if total > limits.unpacked_bytes or len(entries) > limits.entries:
        raise ArchiveTooLarge(
            f"The modules have {total} bytes in {len(entries)} files; at most {limits.unpacked_bytes} bytes in "
            f"{limits.entries} files are allowed.",
            limit_bytes=limits.unpacked_bytes,
        )
