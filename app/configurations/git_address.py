"""Addresses of git sources: ``git+https://host/repo.git//path?ref=main``. Pure.

The form is Terraform's for modules with pip's scheme in front: a repository, the directory or file inside it behind a
double slash, and a branch, tag or commit.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from app.configurations.errors import GitSourceRefused
from app.executor.git_commands import is_ref

Scheme = Literal["https", "http", "ssh", "file"]
_SCHEMES: dict[str, Scheme] = {"git+https": "https", "git+http": "http", "git+ssh": "ssh", "git+file": "file"}
PORTS: dict[str, int] = {"https": 443, "http": 80, "ssh": 22}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PATH = re.compile(r"/[A-Za-z0-9_.~+@=,/-]+")
_LIMIT = 500


@dataclass(frozen=True)
class GitAddress:
    """One path in one repository at one ref. ``host`` and ``port`` are empty and 0 for ``file``."""

    scheme: Scheme
    host: str
    port: int
    user: str
    repository: str
    path: str
    ref: str

    @property
    def remote(self) -> str:
        """What git is given."""
        if self.scheme == "file":
            return f"file://{self.repository}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port != PORTS[self.scheme] else ""
        return f"{self.scheme}://{f'{self.user}@' if self.user else ''}{host}{port}{self.repository}"


def is_git(uri: str) -> bool:
    """Whether an address is meant to be one of git."""
    return uri.startswith("git+")


def parse(uri: str) -> GitAddress:
    """Return the parts of an address. Raises ``GitSourceRefused``, saying what is wrong and how it is written."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(uri, f"can't be read: {error}") from None
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or len(uri) > _LIMIT or not uri.isascii() or not uri.isprintable():
        raise _refused(uri, "is no address of git")
    if parts.password is not None or (parts.username and scheme != "ssh"):
        raise _refused(_without_user(uri), "holds a user or a password; leave them out")
    if parts.fragment:
        raise _refused(uri, "has a part behind '#'; name the branch, tag or commit as ?ref=")
    user = parts.username or ""
    if user and _USER.fullmatch(user) is None:
        raise _refused(uri, "has a user that is none")
    if (scheme == "file") != (not host) or (host and _HOST.fullmatch(host) is None):
        raise _refused(uri, "has no host, or one that is none")
    repository, _, path = parts.path.partition("//")
    path = path.strip("/")
    if _PATH.fullmatch(repository) is None or ".." in repository.split("/"):
        raise _refused(uri, "names no repository, or one with characters that are not taken")
    if path and (_PATH.fullmatch(f"/{path}") is None or not {"", ".", ".."}.isdisjoint(path.split("/"))):
        raise _refused(uri, "has a path behind the double slash that is none of a repository")
    query = parse_qsl(parts.query, keep_blank_values=True)
    if [name for name, _ in query] != ["ref"] or not is_ref(query[0][1]):
        raise _refused(uri, "must end with ?ref= and one branch, tag or commit, and have nothing else there")
    return GitAddress(scheme, host, port or PORTS.get(scheme, 0), user, repository, path, query[0][1])


def _without_user(uri: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", uri)


def _refused(uri: str, problem: str) -> GitSourceRefused:
    message = f"{uri[:200]!r} {problem}. It is written git+https://host/repository.git//path?ref=main"
    return GitSourceRefused(f"{message}.", errors=[{"field": "policy_set_uri", "message": message}])
