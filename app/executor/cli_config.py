"""The CLI configuration that an engine gets: the operator's, with shared caches turned into read-only mirrors.

An engine's own plugin cache is written by every run, so one run could poison it for another (and concurrent fills have
raced). A cache directory has the layout of an unpacked filesystem mirror, so it is offered as one: read, never written.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.core.canonical import sha256_hex

_STRING = r'"((?:[^"\\]|\\.)*)"'
_MIRROR_PATH = re.compile(rf"^\s*path\s*=\s*{_STRING}", re.MULTILINE)
_CACHE = re.compile(rf"^\s*plugin_cache_dir\s*=\s*{_STRING}\s*$", re.MULTILINE)
_OVERRIDES = re.compile(r"dev_overrides\s*\{([^}]*)\}")
_OVERRIDE_PATH = re.compile(rf"=\s*{_STRING}")
_INSTALLATION = re.compile(r"^[ \t]*provider_installation\s*\{", re.MULTILINE)
_SKIPPED = re.compile(rf"{_STRING}|#[^\n]*|//[^\n]*|/\*.*?\*/|[{{}}]", re.DOTALL)
_FETCHING = re.compile(r"\b(?:direct|network_mirror|oci_mirror)\s*\{")


@dataclass(frozen=True)
class CliConfiguration:
    """The text for the engine, and the directories that it must be able to read."""

    text: str
    directories: tuple[Path, ...]


def compose(
    text: str | None, cache: Path | None, *, unfit: Iterable[str] = (), known: Iterable[str] = ()
) -> CliConfiguration | None:
    """Return the configuration made of the operator's ``text`` and a shared provider ``cache``; None for neither.

    A ``plugin_cache_dir`` in the text is taken out and becomes a mirror too, where the text has no rules of its own for
    ``provider_installation``. The ``cache`` comes first among those rules, since it is filled by them. ``unfit`` are
    addresses of providers that must not come from it; ``known`` those that need not be asked for anywhere else.
    """
    text = text or ""
    own = [Path(_unquote(value)) for value in _CACHE.findall(text)]
    text = _CACHE.sub("", text)
    directories = [Path(_unquote(value)) for value in _MIRROR_PATH.findall(text)]
    for block in _OVERRIDES.findall(text):
        directories += [Path(_unquote(value)) for value in _OVERRIDE_PATH.findall(block)]
    rules = _INSTALLATION.search(text)
    if rules is not None:
        if cache is not None:
            text = f"{text[: rules.end()]}\n{_mirror(cache, unfit).rstrip()}{text[rules.end() :]}"
            directories.append(cache)
    elif cache is not None or own:
        mirrors = "".join([*([_mirror(cache, unfit)] if cache is not None else []), *(_mirror(path) for path in own)])
        direct = f"  direct {{{_excluding(known)}}}\n"
        text = f"{text.rstrip()}\n\nprovider_installation {{\n{mirrors}{direct}}}\n".lstrip()
        directories += [path for path in (cache, *own) if path is not None]
    if not text.strip():
        return None
    return CliConfiguration(text, tuple(path for path in dict.fromkeys(directories) if path.is_absolute()))


def without_sources(text: str | None) -> CliConfiguration:
    """Return the operator's configuration with no place to get providers from, but for those it overrides."""
    text = _CACHE.sub("", text or "")
    kept = ""
    rules = _INSTALLATION.search(text)
    if rules is not None:
        end = _end_of_block(text, rules.end())
        kept = "".join(f"  dev_overrides {{{block}}}\n" for block in _OVERRIDES.findall(text[rules.end() : end]))
        text = text[: rules.start()] + text[end:]
    directories = tuple(Path(_unquote(value)) for value in _OVERRIDE_PATH.findall(kept))
    nothing = f'provider_installation {{\n{kept}  direct {{\n    exclude = ["*/*/*"]\n  }}\n}}\n'
    return CliConfiguration(f"{text.rstrip()}\n\n{nothing}".lstrip(), directories)


def rules_identity(text: str | None) -> str | None:
    """Return what tells apart what was fetched under the operator's rules from what others would fetch.

    Empty where the text has none; None where they fetch nothing, so that there is nothing to share.
    """
    rules = _INSTALLATION.search(text or "")
    if text is None or rules is None:
        return ""
    block = text[rules.end() : _end_of_block(text, rules.end())]
    return sha256_hex(block.strip().encode())[:16] if _FETCHING.search(block) else None


def _end_of_block(text: str, begin: int) -> int:
    depth = 1
    for found in _SKIPPED.finditer(text, begin):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            return found.end()
    return len(text)


def _mirror(path: Path, unfit: Iterable[str] = ()) -> str:
    return f"  filesystem_mirror {{\n    path = {_quote(str(path))}\n{_excluding(unfit, '    ')}  }}\n"


def _excluding(addresses: Iterable[str], indent: str = "") -> str:
    listed = ", ".join(_quote(address) for address in sorted(addresses))
    if not listed:
        return ""
    return f"{indent}exclude = [{listed}]\n" if indent else f"\n    exclude = [{listed}]\n  "


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
    return f'"{escaped}"'
