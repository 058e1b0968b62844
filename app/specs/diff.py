"""Differences of two JSON documents as JSON pointers. Pure."""

from collections.abc import Iterator
from typing import Any

from app.specs.schemas import Change


def pointer(path: tuple[str | int, ...]) -> str:
    """Return a path as a JSON pointer (RFC 6901); the whole document is the empty text."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def differences(before: Any, after: Any) -> list[Change]:
    """Return what has to change from ``before`` to ``after``, in the order of the keys."""
    return list(_walk(before, after, ()))


def _walk(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = (*path, key)
            if key not in after:
                yield Change(path=pointer(inner), op="remove", before=before[key])
            elif key not in before:
                yield Change(path=pointer(inner), op="add", after=after[key])
            else:
                yield from _walk(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            inner = (*path, index)
            if index >= len(after):
                yield Change(path=pointer(inner), op="remove", before=before[index])
            elif index >= len(before):
                yield Change(path=pointer(inner), op="add", after=after[index])
            else:
                yield from _walk(before[index], after[index], inner)
    elif type(before) is not type(after) or before != after:
        yield Change(path=pointer(path), op="change", before=before, after=after)
