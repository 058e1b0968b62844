"""Packs a directory as the archive that is uploaded: equal content gives equal bytes.

`.terraformignore` is honoured (the syntax of `.gitignore`, where a later `!pattern` takes files back in). Links are
replaced by what they point to; one that leaves the directory is refused.
"""

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.client.errors import LocalProblem

IGNORE_FILE = ".terraformignore"
_ALWAYS = frozenset({".git", ".terraform", "terraform.tfstate.d"})
_MODULE_SUFFIXES = (".tf", ".tofu", ".tf.json", ".tofu.json")
_MAX_FILES = 20_000

Ignores = Callable[[str], bool]


@dataclass(frozen=True)
class Archive:
    """A packed directory. ``module_directories`` are those that hold configuration, '' for the top."""

    data: bytes
    file_count: int
    module_directories: tuple[str, ...]


def pack(directory: Path) -> Archive:
    """Return ``directory`` as an archive.

    Raises ``LocalProblem``: it is no directory, a link leaves it or leads nowhere, a file is not a regular one or can't
    be read, or nothing in it is configuration.
    """
    if not directory.is_dir():
        what = "is a file, and a directory is uploaded" if directory.exists() else "does not exist"
        raise LocalProblem(f"{directory} {what}. Name the directory that holds the .tf files.", "directory_invalid")
    root = directory.resolve()
    found = dict(_walk(root, root, PurePosixPath(), _ignores(root), ()))
    modules = sorted(
        {_parent(path) for path in found if path.endswith(_MODULE_SUFFIXES) and not Path(path).name.startswith(".")}
    )
    if not modules:
        raise LocalProblem(
            f"{directory} holds no .tf, .tofu or .tf.json file{_unless_ignored(root)}. Name the directory that "
            "holds the root module.",
            "no_configuration_files",
        )
    return Archive(_tar(found), len(found), tuple(modules))


def pack_policies(path: Path) -> Archive:
    """Return a directory's policy set, its Rego files and `data.json`, or one Rego file, as an archive.

    Tests (`*_test.rego`) stay out. Raises ``LocalProblem`` as ``pack`` does, or when there is no Rego file.
    """
    if path.is_file():
        found = {path.name: path}
    elif path.is_dir():
        root = path.resolve()
        walked = _walk(root, root, PurePosixPath(), _ignores(root), ())
        found = {name: place for name, place in walked if name.endswith(".rego") or _is_policy_data(name)}
    else:
        raise LocalProblem(f"{path} does not exist. Name a directory with .rego files, or one.", "directory_invalid")
    rego = [name for name in found if name.endswith(".rego") and not name.endswith("_test.rego")]
    if not rego:
        raise LocalProblem(f"{path} holds no .rego file other than tests. Name the policy set.", "no_policy_files")
    kept = {name: place for name, place in found.items() if not name.endswith("_test.rego")}
    return Archive(_tar(kept), len(kept), ())


def _is_policy_data(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name in {"data.json", "data.yaml", "data.yml"} and "fixtures" not in path.parts


def _unless_ignored(root: Path) -> str:
    return f" that {IGNORE_FILE} does not leave out" if (root / IGNORE_FILE).is_file() else ""


def _parent(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def is_dropped(path: str) -> bool:
    """Whether a file is never uploaded: local state, the engine's cache, a repository."""
    name = path.rsplit("/", 1)[-1]
    return not _ALWAYS.isdisjoint(path.split("/")) or name.endswith(".tfstate") or ".tfstate." in name


def _ignores(root: Path) -> Ignores:
    file = root / IGNORE_FILE
    if not file.is_file():
        return is_dropped
    from pathspec import PathSpec

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        patterns = PathSpec.from_lines("gitignore", lines)
    except (OSError, ValueError) as error:
        raise LocalProblem(f"{file} can't be read: {error}. Correct or remove it.", "terraformignore_invalid") from None
    return lambda path: is_dropped(path) or patterns.match_file(path)


def _walk(
    root: Path, folder: Path, inside: PurePosixPath, ignores: Ignores, above: tuple[Path, ...]
) -> Iterator[tuple[str, Path]]:
    """Yield each file's path in the archive and where it lies; ``folder`` is real, ``above`` are those it is below."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise LocalProblem(f"{folder} can't be read: {error.strerror}.", "file_unreadable") from None
    for entry in entries:
        path = str(inside / entry.name)
        is_left_out = ignores(path)
        if is_left_out and (entry.is_symlink() or not entry.is_dir() or is_dropped(path)):
            continue
        real = _real(root, Path(entry.path), path, is_link=entry.is_symlink())
        if real.is_dir():
            if real == folder or real in above:
                raise _refused(path, "is a link to a directory that holds it", path)
            yield from _walk(root, real, inside / entry.name, ignores, (*above, folder))
        elif real.is_file():
            if not is_left_out:
                yield path, real
        else:
            raise _refused(path, "is not a regular file (a device, pipe or socket)", path)


def _real(root: Path, place: Path, path: str, *, is_link: bool) -> Path:
    if not is_link:
        return place
    target = os.readlink(place)  # noqa: PTH115 - as it is written, for the message
    try:
        real = place.resolve(strict=True)
    except (OSError, RuntimeError):
        raise _refused(path, f"is a link to {target}, which does not exist", path) from None
    if not real.is_relative_to(root):
        raise _refused(path, f"is a link that leaves the directory (to {target})", path)
    return real


def _refused(path: str, problem: str, field: str) -> LocalProblem:
    remedy = f"Copy it in, remove it, or leave it out with a {IGNORE_FILE}"
    return LocalProblem(
        f"{path} {problem}. {remedy}.", "archive_refused", errors=[{"field": field, "message": problem}]
    )


def _tar(files: dict[str, Path]) -> bytes:
    """Return a tar.gz without times and owners, sorted by name."""
    if len(files) > _MAX_FILES:
        raise LocalProblem(
            f"The directory holds {len(files)} files; at most {_MAX_FILES} are uploaded. Leave directories out with a "
            f"{IGNORE_FILE}.",
            "archive_too_large",
        )
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(files):
            _add(archive, path, files[path])
    return packed.getvalue()


def _add(archive: tarfile.TarFile, path: str, place: Path) -> None:
    try:
        with place.open("rb") as file:
            status = os.fstat(file.fileno())
            member = tarfile.TarInfo(path)
            member.size = status.st_size
            member.mode = 0o755 if status.st_mode & 0o111 else 0o644
            archive.addfile(member, file)
    except OSError as error:
        reason = error.strerror or "it changed while it was read"
        raise LocalProblem(f"{path} can't be read: {reason}.", "file_unreadable") from None
