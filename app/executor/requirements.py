"""Which providers a configuration needs, as an engine's `init` says while it looks for them. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.executor import lock_file

_DEFAULT_HOSTS = {"tofu": "registry.opentofu.org", "terraform": "registry.terraform.io"}
# OpenTofu, and Terraform's text; Terraform's JSON.
_FINDING = (
    re.compile(r'^(?:- )?Finding (?P<name>\S+) versions matching "(?P<constraint>[^"]*)"\.\.\.'),
    re.compile(
        r'^(?:- )?Finding matching versions for provider: (?P<name>\S+), version_constraint: "(?P<constraint>[^"]*)"'
    ),
    re.compile(r"^(?:- )?Finding latest version of (?P<name>\S+?)\.\.\.$"),
    re.compile(r"^(?:- )?(?P<name>\S+): Finding latest version\.\.\.$"),
)
_CONSTRAINT = re.compile(r"[0-9A-Za-z.,~<>=! +-]{0,200}")


@dataclass(frozen=True, order=True)
class Requirement:
    """A provider's whole address, and the versions of it that will do (as engines write constraints; empty: any)."""

    address: str
    constraint: str


def read(messages: Iterable[str], engine: str) -> list[Requirement]:
    """Return what an `init` of the ``engine`` (tofu, terraform) said that it looks for; what can't be read is left."""
    found = set()
    for message in messages:
        for pattern in _FINDING:
            match = pattern.match(message)
            if match is not None:
                parts = match.groupdict()
                made = _requirement(parts["name"], parts.get("constraint", ""), engine)
                if made is not None:
                    found.add(made)
    return sorted(found)


def _requirement(name: str, constraint: str, engine: str) -> Requirement | None:
    address = name if name.count("/") > 1 else f"{_DEFAULT_HOSTS[engine]}/{name}"
    if not lock_file.is_address(address) or not _CONSTRAINT.fullmatch(constraint):
        return None
    return Requirement(address, constraint)
