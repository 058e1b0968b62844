"""Reads policy sets from the policies directory: which files belong, and nothing from outside it."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from app.core.settings import get_settings
from app.policy import rego
from app.policy.errors import PolicySetInvalid, PolicySetNotFound, PolicySetUriRefused
from app.policy.schemas import PolicyBundle, PolicySetOut

PREFIX = "policies/"
MAX_FILES = 200
MAX_BYTES = 4 * 1024 * 1024
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(:|::)|^git@")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DATA = "data.json"
_TITLE = re.compile(r"^#\s*title:\s*(.+)$", re.MULTILINE)


def load(policies_dir: Path, uri: str) -> PolicyBundle:
    """Return the policy set at ``uri``: a Rego file, or a directory's Rego files and its ``data.json``.

    Tests (``*_test.rego``) stay out. Raises ``PolicySetUriRefused`` for an address that is no path under
    ``policies/``, ``PolicySetNotFound``, and ``PolicySetInvalid`` for a set that is empty, too large, or not text.
    """
    root = Path(os.path.realpath(policies_dir))
    target = _resolve(root, uri)
    if target.is_file():
        if target.suffix != ".rego":
            raise _invalid(uri, "it is a file, but not a .rego file")
        return PolicyBundle(files={target.name: _read(root, target, uri)})
    if not target.is_dir():
        raise PolicySetNotFound(
            f"There is no policy set {uri!r}: no file or directory lies there.",
            policy_set_uri=uri,
        )
    files = {path.relative_to(target).as_posix(): _read(root, path, uri) for path in _rego_files(target)}
    bundle = PolicyBundle(files=files, data=_data(root, target, uri) if files else None)
    reason = refusal(bundle)
    if reason is not None:
        raise _invalid(uri, reason)
    return bundle


def draft(files: Mapping[str, str], data: str | None) -> PolicyBundle:
    """Return the policy set that these files (name to text) make, without its tests; nothing is compiled.

    Raises ``PolicySetInvalid`` for one that is empty or too large, or for a name that no file of a set has.
    """
    bundle = PolicyBundle(
        files={name: text for name, text in files.items() if not name.endswith("_test.rego")}, data=data
    )
    reason = refusal(bundle)
    if reason is not None:
        raise PolicySetInvalid(
            f"The policy set can't be used: {reason}.", reason=reason, errors=[{"field": "files", "message": reason}]
        )
    return bundle


def of_files(contents: Mapping[str, bytes], uri: str) -> PolicyBundle:
    """Return the policy set in a tree's files (path to content): its Rego files without tests, and its ``data.json``.

    Whatever else lies there is left out. Raises ``PolicySetInvalid``.
    """
    for name in sorted(contents):
        _check_data_place(PurePosixPath(name), uri)
    files = {
        name: _text(name, content, uri)
        for name, content in sorted(contents.items())
        if name.endswith(".rego") and not name.endswith("_test.rego")
    }
    data = contents.get(_DATA)
    bundle = PolicyBundle(files=files, data=_text(_DATA, data, uri) if data is not None else None)
    reason = refusal(bundle)
    if reason is not None:
        raise _invalid(uri, reason)
    return bundle


def refusal(bundle: PolicyBundle) -> str | None:
    """Return why a bundle's names, number of files or size can't be taken; None when they can."""
    if not bundle.files:
        return "it holds no .rego file other than tests"
    if len(bundle.files) > MAX_FILES:
        return f"it holds {len(bundle.files)} files; at most {MAX_FILES} are read"
    for name in bundle.files:
        if not all(_PART.fullmatch(part) for part in name.split("/")):
            return f"the file name {name!r} has characters other than letters, digits, '.', '_' and '-'"
        if not name.endswith(".rego"):
            return f"{name!r} is not a .rego file; data goes into data.json"
        if any(other.startswith(f"{name}/") for other in bundle.files):
            return f"{name!r} is a file and a directory at once"
    try:
        size = sum(len(text.encode()) for text in (*bundle.files.values(), bundle.data or ""))
    except UnicodeEncodeError:
        return "it holds text that is not UTF-8"
    if size > MAX_BYTES:
        return f"it is larger than {MAX_BYTES // 1024 // 1024} MiB"
    return None


def shipped(policies_dir: Path) -> list[PolicySetOut]:
    """Return the policy sets that lie directly under the policies directory, by name; broken ones say why."""
    if not policies_dir.is_dir():
        return []
    names = [
        path.name
        for path in sorted(policies_dir.iterdir())
        if not path.name.startswith(".")
        and (path.is_dir() or (path.suffix == ".rego" and not path.name.endswith("_test.rego")))
    ]
    return [_describe(policies_dir, name) for name in names]


def describe(uri: str, name: str, bundle: PolicyBundle) -> PolicySetOut:
    """Return what people see of a policy set before they attach it."""
    review = rego.review(bundle.files, bundle.data, get_settings().policy_allowed_builtins)
    titles = [found.group(1).strip() for text in bundle.files.values() if (found := _TITLE.search(text))]
    return PolicySetOut(
        uri=uri,
        name=name,
        title=titles[0] if titles else name,
        files=sorted(bundle.files),
        packages=[rego.dotted(package) for package in review.packages],
        bundle_digest=bundle.digest,
        error="; ".join(review.errors) or None,
    )


def _describe(policies_dir: Path, name: str) -> PolicySetOut:
    uri = PREFIX + name
    try:
        bundle = load(policies_dir, uri)
    except (PolicySetInvalid, PolicySetUriRefused, PolicySetNotFound) as error:
        return PolicySetOut(
            uri=uri, name=name, title=name, files=[], packages=[], bundle_digest=None, error=error.detail
        )
    return describe(uri, name.removesuffix(".rego"), bundle)


def _resolve(root: Path, uri: str) -> Path:
    if _SCHEME.match(uri):
        raise uri_refused(f"{uri!r} has a scheme that is not supported: name a file or directory under {PREFIX}")
    path = uri.removeprefix("./")
    if not path.startswith(PREFIX) or "\0" in path:
        raise uri_refused(f"{uri!r} must begin with {PREFIX}: name a file or directory in the policies directory")
    target = Path(os.path.realpath(root / path.removeprefix(PREFIX)))
    if not target.is_relative_to(root) or target == root:
        raise uri_refused(
            f"{uri!r} must name a file or directory inside {PREFIX}, not the directory itself or outside it"
        )
    return target


def _rego_files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*.rego")):
        if not path.name.endswith("_test.rego"):
            yield path


def _data(root: Path, target: Path, uri: str) -> str | None:
    for path in sorted(target.rglob("data.*")):
        _check_data_place(PurePosixPath(path.relative_to(target).as_posix()), uri)
    path = target / _DATA
    return _read(root, path, uri) if path.is_file() else None


def _check_data_place(inside: PurePosixPath, uri: str) -> None:
    is_data = inside.stem == "data" and inside.suffix in {".json", ".yaml", ".yml"}
    if is_data and "fixtures" not in inside.parts and inside != PurePosixPath(_DATA):
        raise _invalid(uri, f"{inside} would be left out: data goes into one data.json at the top of the set")


def _text(name: str, content: bytes, uri: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _invalid(uri, f"{name} is not UTF-8 text") from None


def _read(root: Path, path: Path, uri: str) -> str:
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(root):
        raise _invalid(uri, f"{path.name} is a link that leaves {PREFIX}")
    try:
        if real.stat().st_size > MAX_BYTES:
            raise _invalid(uri, f"{path.name} is larger than {MAX_BYTES // 1024 // 1024} MiB")
        return real.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _invalid(uri, f"{path.name} is not UTF-8 text") from None
    except OSError as error:
        raise _invalid(uri, f"{path.name} can't be read: {error.strerror}") from error


def uri_refused(reason: str) -> PolicySetUriRefused:
    """Return the error for an address that names no policy set."""
    return PolicySetUriRefused(f"{reason}.", errors=[{"field": "policy_set_uri", "message": reason}])


def _invalid(uri: str, reason: str) -> PolicySetInvalid:
    return PolicySetInvalid(
        f"The policy set {uri!r} can't be used: {reason}.",
        reason=reason,
        errors=[{"field": "policy_set_uri", "message": reason}],
    )
