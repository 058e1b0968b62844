"""Version constraints as engines write them: `>= 1.6, < 2.0`, `~> 1.11`, `1.11.4`. Pure."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def allows(constraint: str, version: str) -> bool:
    """Return whether ``version`` meets a constraint; an empty one allows all. Raises ``ValueError`` for a bad one."""
    parts = [_specifier(part) for part in constraint.split(",") if part.strip()]
    try:
        return Version(version) in SpecifierSet(",".join(parts), prereleases=True)
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ValueError(f"{constraint!r} can't be read as a version constraint") from error


def is_prerelease(version: str) -> bool:
    """Return whether a version is one that no constraint but its own name allows. Raises ``ValueError``."""
    return Version(version).is_prerelease


def newest(versions: list[str]) -> str:
    """Return the highest of some versions, of which there is one at least. Raises ``ValueError``."""
    return max(versions, key=Version)


def _specifier(part: str) -> str:
    part = part.strip()
    number = part.lstrip("~><=! ")
    operator = part[: len(part) - len(number)].strip()
    if operator == "~>":
        return f"~={number}" if "." in number else f">={number}"
    return f"{operator if operator not in {'', '='} else '=='}{number}"
