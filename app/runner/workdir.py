"""Lays out the directory of one run, and takes it away again.

Nothing on a worker's disk is needed later, and nothing sensitive may stay on it: the directory is private (0700), and
it is removed when the run has ended.
"""

import contextlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from app.core.errors import AppError
from app.core.settings import Settings
from app.executor import files
from app.executor.engine import Site
from app.executor.terraform import RESERVED_FILES
from app.executor.trees import remove_tree

_MAX_UNPACKED_BYTES = 2 * 1024 * 1024 * 1024
_MAX_MEMBERS = 100_000
_MAX_DEPTH = 512


class ConfigurationUnusable(AppError):
    """The configuration can't be laid out: a path leaves it, it is too large, or its root module is not there."""

    status = 422
    code = "configuration_unusable"
    title = "The configuration can't be used"


def base_directory(settings: Settings) -> Path:
    """Return the directory below which runs are laid out."""
    return settings.work_dir or Path(tempfile.gettempdir()) / f"sluice-runs-{os.geteuid()}"


def prepared_directory(settings: Settings) -> Path:
    """Return the directory, apart from every run's, in which what `init` made is kept."""
    return base_directory(settings) / ".prepared"


def make(base: Path, name: str, *, module_path: str, owner: files.Owner) -> Site:
    """Make a fresh, private directory called ``name`` below ``base``; what a dead run left there goes first.

    Raises ``ConfigurationUnusable`` for a module path that leaves the configuration, and for a base that is not ours.
    """
    parts = PurePosixPath(module_path).parts
    if ".." in parts or module_path.startswith("/"):
        raise ConfigurationUnusable(f"module_path {module_path!r} leaves the configuration: use a relative path.")
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = base.lstat()
    if base.is_symlink() or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise ConfigurationUnusable(
            f"{base} must be a directory that only this user can write to: set SLUICE_WORK_DIR to another one."
        )
    site = Site(base / name, str(PurePosixPath(module_path)) if parts else "")
    remove(site)
    site.root.mkdir(mode=0o700)
    for directory in (site.work, site.temporary, site.home):
        # The run's own directory above keeps everybody out; bubblewrap enters these without its privileges.
        files.make_anew(directory, owner=owner)
    return site


def lay_out(
    site: Site,
    archive: bytes | None,
    generated: Mapping[str, str],
    *,
    owner: files.Owner,
) -> None:
    """Unpack the configuration and put the generated files over its root module.

    What the engine would take for its own (state, plan, `.terraform`) is left out of the root module. Raises
    ``ConfigurationUnusable``.
    """
    if archive is not None:
        _unpack(site, archive, owner)
    if not site.module.is_dir():
        raise ConfigurationUnusable(
            f"The configuration has no directory {site.module_path!r}; correct the spec's module path."
        )
    if not site.module.resolve().is_relative_to(site.work.resolve()):
        raise ConfigurationUnusable(f"module_path {site.module_path!r} leaves the configuration through a link.")
    for name, content in generated.items():
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise ConfigurationUnusable(f"The generated file {name!r} would leave the root module.")
        files.write(site.module, name, content.encode(), owner=owner)


def remove(site: Site) -> None:
    """Remove the run's directory; quiet when it is not there. No link is followed."""
    remove_tree(site.root)


def _unpack(site: Site, archive: bytes, owner: files.Owner) -> None:
    total = 0
    prefix = f"{site.module_path}/" if site.module_path else ""
    with _opened(archive) as unpacked:
        for count, member in enumerate(unpacked, start=1):
            total += member.size
            if total > _MAX_UNPACKED_BYTES or count > _MAX_MEMBERS:
                raise ConfigurationUnusable(
                    f"The configuration unpacks to more than {_MAX_UNPACKED_BYTES} bytes or {_MAX_MEMBERS} files."
                )
            name = member.name.removeprefix("./")
            if name.count("/") > _MAX_DEPTH:
                raise ConfigurationUnusable(f"The configuration nests {name[:100]!r}… deeper than {_MAX_DEPTH} levels.")
            inner = PurePosixPath(name.removeprefix(prefix)).parts if name.startswith(prefix) else ()
            if inner and inner[0] in RESERVED_FILES:
                continue
            try:
                unpacked.extract(member, site.work, set_attrs=True, filter="data")
            except tarfile.FilterError as error:
                raise ConfigurationUnusable(f"The configuration holds {member.name!r}, which leaves it.") from error
    if owner.id is not None:
        for directory, _, names in os.walk(site.work):
            os.chown(directory, owner.id, owner.id)
            # Whatever the archive or the umask says: bubblewrap enters these, too.
            Path(directory).chmod(0o755)
            for name in names:
                os.chown(Path(directory, name), owner.id, owner.id, follow_symlinks=False)


@contextlib.contextmanager
def _opened(archive: bytes) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as unpacked:
            yield unpacked
    except (tarfile.ReadError, EOFError, OSError) as error:
        raise ConfigurationUnusable(f"The configuration's archive can't be unpacked: {error}.") from error
