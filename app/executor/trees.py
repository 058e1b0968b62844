"""Removes directory trees that hostile code may have made: of any depth, full of links, without rights."""

import contextlib
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(root: Path) -> None:
    """Remove ``root`` and all in it; quiet when it is not there. No link is followed.

    A tree may be deeper than a path can be long and than Python can recurse: so each directory is first moved right
    below ``root``, then emptied. Nothing else may be at work in it. Raises ``OSError`` when something can't be removed.
    """
    try:
        top = _opened(root.name, os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), closes=True)
    except FileNotFoundError:
        return
    names = (f".removing-{number}" for number in itertools.count())
    try:
        while below := os.listdir(top):  # noqa: PTH208 - a descriptor has no path
            for name in below:
                if not _is_directory(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                with _directory(name, top) as inner:
                    _empty(inner, top, names)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    root.rmdir()


def _empty(directory: int, top: int, names: Iterator[str]) -> None:
    """Remove the files of a directory, and move its directories to ``top``, under names that are free there."""
    for name in os.listdir(directory):
        if not _is_directory(name, directory):
            os.unlink(name, dir_fd=directory)
            continue
        # A directory that one may not write to can't be moved either, since its parent is written in it.
        with _directory(name, directory):
            pass
        for free in names:
            try:
                os.stat(free, dir_fd=top, follow_symlinks=False)
            except FileNotFoundError:
                os.rename(name, free, src_dir_fd=directory, dst_dir_fd=top)
                break


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


@contextlib.contextmanager
def _directory(name: str, parent: int) -> Iterator[int]:
    descriptor = _opened(name, parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(name: str, parent: int, *, closes: bool = False) -> int:
    """Open a directory, with the rights to read and change it."""
    try:
        held = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            facts = os.fstat(held)
            if facts.st_mode & 0o700 != 0o700:
                # By its descriptor, since the name may be a link by now.
                Path(f"/proc/self/fd/{held}").chmod(0o700)
        finally:
            os.close(held)
        return os.open(name, _DIRECTORY, dir_fd=parent)
    finally:
        if closes:
            os.close(parent)
