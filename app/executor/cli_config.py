"""The CLI configuration that an engine gets: the operator's, with shared caches turned into read-only mirrors.

An engine's own plugin cache is written by every run, so one run could poison it for another (and concurrent fills have
raced). A cache directory has the layout of an unpacked filesystem mirror, so it is offered as one: read, never written.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_STRING = r'"((?:[^"\\]|\\.)*)"'
_MIRROR_PATH = re.compile(rf"^\s*path\s*=\s*{_STRING}", re.MULTILINE)
_CACHE = re.compile(rf"^\s*plugin_cache_dir\s*=\s*{_STRING}\s*$", re.MULTILINE)
_OVERRIDES = re.compile(r"dev_overrides\s*\{([^}]*)\}")
_OVERRIDE_PATH = re.compile(rf"=\s*{_STRING}")
_INSTALLATION = re.compile(r"^\s*provider_installation\s*\{", re.MULTILINE)


@dataclass(frozen=True)
class CliConfiguration:
    """The text for the engine, and the directories that it must be able to read."""

    text: str
    directories: tuple[Path, ...]


def compose(text: str | None, cache: Path | None) -> CliConfiguration | None:
    """Return the configuration made of the operator's ``text`` and a shared provider ``cache``; None for neither.

    A ``plugin_cache_dir`` in the text is taken out and becomes a mirror too. Where the text has rules of its own for
    ``provider_installation``, those stand and no mirror is added.
    """
    caches = [] if cache is None else [cache]
    text = text or ""
    caches += [Path(_unquote(value)) for value in _CACHE.findall(text)]
    text = _CACHE.sub("", text)
    directories = [Path(_unquote(value)) for value in _MIRROR_PATH.findall(text)]
    for block in _OVERRIDES.findall(text):
        directories += [Path(_unquote(value)) for value in _OVERRIDE_PATH.findall(block)]
    if caches and not _INSTALLATION.search(text):
        mirrors = "".join(f"  filesystem_mirror {{\n    path = {_quote(str(path))}\n  }}\n" for path in caches)
        text = f"{text.rstrip()}\n\nprovider_installation {{\n{mirrors}  direct {{}}\n}}\n".lstrip()
        directories += caches
    if not text.strip():
        return None
    return CliConfiguration(text, tuple(path for path in dict.fromkeys(directories) if path.is_absolute()))


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
    return f'"{escaped}"'
