"""What a ``module_source`` names: an operator's module by path, a registry module, or a git address. Pure.

Nothing here touches the disk or the network; ``configurations`` resolves a path and checks where it really leads.
"""

import re
from dataclasses import dataclass
from typing import Literal

SourceKind = Literal["path", "registry", "git"]

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63}(?::[0-9]{1,5})?"
_SUBDIRECTORY = r"(?://[A-Za-z0-9_][A-Za-z0-9._/-]*)?"
_REGISTRY = re.compile(rf"(?:{_HOST}/)?{_NAME}/{_NAME}/[a-z0-9]{{1,64}}{_SUBDIRECTORY}")
_REF = r"(?:\?ref=[A-Za-z0-9][A-Za-z0-9._/+-]{0,127})?"
_REPOSITORY = r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
_GIT = re.compile(
    rf"(?:git::(?:https|ssh)://(?:[A-Za-z0-9_-]+@)?{_HOST}/{_REPOSITORY}{_SUBDIRECTORY}"
    rf"|(?:github\.com|bitbucket\.org)/{_REPOSITORY}{_SUBDIRECTORY}"
    rf"|git@{_HOST}:{_REPOSITORY}{_SUBDIRECTORY}){_REF}"
)
REMEDY = (
    "write a directory below the operator's modules (modules/network), a registry module (namespace/name/provider) "
    "or a git address (git::https://host/repository.git?ref=v1)"
)


@dataclass(frozen=True)
class ModuleSource:
    """A module source taken apart. ``path`` is set for the kind path: relative to the operator's modules, no ``..``."""

    text: str
    kind: SourceKind
    path: str | None = None


def _path_of(text: str) -> str:
    rest = text
    leads_out = False
    while rest.startswith(("./", "../")):
        leads_out = leads_out or rest.startswith("../")
        rest = rest.split("/", 1)[1]
    if rest.startswith("modules/"):
        rest = rest.removeprefix("modules/")
    elif leads_out:
        raise ValueError("leaves the operator's modules: a path that begins with ../ must go on with modules/")
    segments = rest.rstrip("/").split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise ValueError(
                f"holds the path segment {segment!r}: use letters, digits, '.', '_' and '-', and no '..' inside a path"
            )
    return "/".join(segments)


def parse_module_source(text: str) -> ModuleSource:
    """Take ``text`` apart. Raises ``ValueError`` that says what is wrong and what may be written instead."""
    if len(text) > 1024 or not text.isascii() or not text.isprintable():
        raise ValueError(f"must be at most 1024 printable ASCII characters; {REMEDY}")
    if text.startswith(("./", "../", "modules/")):
        return ModuleSource(text, "path", _path_of(text))
    if text.startswith(("git::", "git@", "github.com/", "bitbucket.org/")):
        if not _GIT.fullmatch(text) or "/.." in text:
            raise ValueError("is not a git address: write git::https://host/repository.git//directory?ref=v1")
        return ModuleSource(text, "git")
    if text.startswith(("/", "~")):
        raise ValueError(f"is an absolute path, and paths on the server are allowed below modules/ only; {REMEDY}")
    if not _REGISTRY.fullmatch(text) or "/.." in text:
        raise ValueError(f"is not a module source; {REMEDY}")
    return ModuleSource(text, "registry")
