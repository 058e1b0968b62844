"""Configurations: stored once per content, encrypted, named by digest.

An upload, an operator's module and a rendered configuration are the same thing once they are here.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.configurations import git, git_address, operator_modules, repository
from app.configurations.archive import (
    Entry,
    Limits,
    check_entries,
    content_digest,
    is_module_file,
    pack,
    read_archive,
)
from app.configurations.errors import (
    ConfigurationChanged,
    ConfigurationNotFound,
    ConfigurationRemoved,
    SourceNotFetchable,
)
from app.configurations.interface import read_interface
from app.configurations.models import Configuration
from app.configurations.schemas import ConfigurationOut, ModuleInterface, NamesCode
from app.core import clock
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import after_commit, unit_of_work
from app.core.ids import new_id
from app.core.permissions import Actor
from app.core.settings import get_settings

_UPLOAD = "upload"


def store_archive(session: Session, actor: Actor, data: bytes, *, module_path: str | None = None) -> ConfigurationOut:
    """Check an uploaded tar.gz, pack it again, and store it; the same content again is the same configuration.

    With ``module_path``, that directory must hold configuration. Raises ``ArchiveRefused``, ``ArchiveTooLarge`` or
    ``NoConfigurationFiles``.
    """
    entries = read_archive(data, Limits.for_upload(get_settings().max_upload_bytes))
    check_entries(entries, module_path)
    return _store(session, actor, entries, _UPLOAD)


def store_files(session: Session, actor: Actor, files: Mapping[str, bytes]) -> ConfigurationOut:
    """Store files of ours, by path, as an upload of the actor's; the same content again is the same configuration.

    Raises ``NoConfigurationFiles``.
    """
    entries = [Entry(path, data) for path, data in files.items()]
    check_entries(entries, None)
    return _store(session, actor, entries, _UPLOAD)


def from_module(session: Session, actor: Actor, path: str, *, pinned_digest: str | None = None) -> ConfigurationOut:
    """Store the operator's module at ``path`` (relative to the modules directory) with the local modules it calls.

    Its files lie below ``modules/`` in the archive. With ``pinned_digest``, what was stored from this module with that
    content is returned, and else the module on disk must still be it. Raises ``ModuleNotFound``,
    ``ConfigurationChanged``, ``NoConfigurationFiles`` or ``ArchiveTooLarge``.
    """
    if pinned_digest is not None:
        row = repository.by_digest(session, actor.organization_id, pinned_digest)
        # An upload that has the module's directories is not the operator's module, whatever a spec says.
        if row is not None and row.source == f"{operator_modules.PREFIX}/{path}":
            return _present(row)
    settings = get_settings()
    entries = operator_modules.read_module(settings.modules_dir, path, Limits.for_upload(settings.max_upload_bytes))
    check_entries(entries, f"{operator_modules.PREFIX}/{path}")
    if pinned_digest is not None and content_digest(entries) != pinned_digest:
        message = "is not what the module holds now, and that content was never stored; remove it to pin it anew"
        raise ConfigurationChanged.of_field("module_digest", message)
    return _store(session, actor, entries, f"{operator_modules.PREFIX}/{path}")


def for_spec(session: Session, actor: Actor, spec: NamesCode) -> ConfigurationOut:
    """Return the configuration that holds a spec's code: by its digest, or the operator's module, stored when new.

    Raises ``ConfigurationNotFound`` for an unknown digest or a spec that names no code, ``SourceNotFetchable`` for a
    source of a kind that is not fetched here, and what ``from_module`` raises.
    """
    if spec.configuration_digest is not None:
        return get_by_digest(session, actor.organization_id, spec.configuration_digest)
    if spec.module_source is None:
        message = "the spec names no code; name a module_source, or upload a directory with `sluice plan DIR`"
        raise ConfigurationNotFound.of_field("module_source", message)
    if spec.operator_module is None:
        message = (
            f"{spec.module_source!r} is a git or registry source, and this installation fetches none of them; put the "
            "module below the operator's modules and name it as modules/NAME, or upload a directory that calls it "
            "with `sluice plan DIR`"
        )
        raise SourceNotFetchable.of_field("module_source", message)
    return from_module(session, actor, spec.operator_module, pinned_digest=spec.module_digest)


def unpack(data: bytes, *, packed_bytes: int, unpacked_bytes: int, most_entries: int, packing: str) -> dict[str, bytes]:
    """Return the regular files of a tar or tar.gz that holds no links, by path.

    ``packing`` says how such an archive is made. Raises ``ArchiveRefused`` or ``ArchiveTooLarge``.
    """
    limits = Limits(
        packed_bytes=packed_bytes,
        unpacked_bytes=unpacked_bytes,
        entries=most_entries,
        remedy="Pack fewer files.",
        packing=packing,
        may_link=False,
        may_be_plain=True,
    )
    return {entry.path: entry.data for entry in read_archive(data, limits)}


@dataclass(frozen=True)
class GitFiles:
    """What lies at a git source now: the commit, and its regular files by path, links copied."""

    commit_id: str
    files: dict[str, bytes] = field(repr=False)


def is_git(uri: str) -> bool:
    """Whether ``uri`` is meant to be the address of a git source."""
    return git_address.is_git(uri)


def fetch_git(uri: str, *, most_bytes: int, most_files: int) -> GitFiles:
    """Fetch the files at ``git+https://host/repository.git//path?ref=…``, at most so many bytes and files of them.

    It may take ``SLUICE_GIT_TIMEOUT_SECONDS``, so no transaction should be open. Raises as ``git.fetch`` does.
    """
    limits = Limits(packed_bytes=most_bytes, unpacked_bytes=most_bytes, entries=most_files)
    found = git.fetch(git_address.parse(uri), get_settings(), limits)
    return GitFiles(found.commit_id, {entry.path: entry.data for entry in found.entries})


def get(session: Session, organization_id: str, configuration_id: str) -> ConfigurationOut:
    """Return a configuration. Raises ``ConfigurationNotFound``, for another organization's too."""
    row = repository.by_id(session, organization_id, configuration_id)
    if row is None:
        raise ConfigurationNotFound(f"There is no configuration {configuration_id!r}.")
    return _present(row)


def take(session: Session, organization_id: str, configuration_id: str) -> ConfigurationOut:
    """Return a configuration whose files this transaction's work will need; retention waits for its end.

    Raises ``ConfigurationNotFound``, and ``ConfigurationRemoved`` when retention was there before.
    """
    row = repository.by_id(session, organization_id, configuration_id, is_held=True)
    if row is None:
        raise ConfigurationNotFound(f"There is no configuration {configuration_id!r}.")
    return _kept(row)


def _kept(row: Configuration) -> ConfigurationOut:
    if row.removed_at is not None:
        message = (
            f"was removed at {row.removed_at:%Y-%m-%d}: it was older than {get_settings().run_artifacts_days} days "
            "(SLUICE_RUN_ARTIFACTS_DAYS) and nothing needed it; upload the same directory again"
        )
        raise ConfigurationRemoved(
            f"The configuration {row.digest} {message}.", errors=[{"field": "configuration", "message": message}]
        )
    return _present(row)


def get_by_digest(session: Session, organization_id: str, digest: str) -> ConfigurationOut:
    """Return the configuration of that content, as ``take`` does.

    Raises ``ConfigurationNotFound`` and ``ConfigurationRemoved``.
    """
    row = repository.by_digest(session, organization_id, digest, is_held=True)
    if row is None:
        raise ConfigurationNotFound(
            f"There is no configuration with the digest {digest}. Upload it with `sluice plan DIR`, or with POST "
            "/terraform/configurations.",
            errors=[{"field": "configuration_digest", "message": "is not stored here; upload the configuration first"}],
        )
    return _kept(row)


def files(configuration: ConfigurationOut) -> list[Entry]:
    """Return a configuration's files, from the artifact store.

    Raises ``IntegrityError`` when they were altered, and ``NotFound`` when they were removed.
    """
    settings = get_settings()
    generous = max(settings.max_upload_bytes, configuration.archive.size)
    return read_archive(artifact_store().get(configuration.archive), Limits.for_upload(generous))


_INTERFACES: OrderedDict[tuple[str, str, str], ModuleInterface] = OrderedDict()
_INTERFACES_LOCK = Lock()
_INTERFACES_KEPT = 256


def interface(configuration: ConfigurationOut, module_path: str = "") -> ModuleInterface:
    """Return what the module at ``module_path`` declares. Content never changes, so the answer is remembered.

    Raises ``NoConfigurationFiles`` when the directory holds no configuration.
    """
    key = (configuration.organization_id, configuration.digest, module_path)
    with _INTERFACES_LOCK:
        if key in _INTERFACES:
            _INTERFACES.move_to_end(key)
            return _INTERFACES[key]
    entries = files(configuration)
    check_entries(entries, module_path)
    prefix = f"{module_path}/" if module_path else ""
    names = {entry.path.removeprefix(prefix): entry.data for entry in entries if entry.path.startswith(prefix)}
    found = read_interface({name: data for name, data in names.items() if "/" not in name and is_module_file(name)})
    with _INTERFACES_LOCK:
        _INTERFACES[key] = found
        while len(_INTERFACES) > _INTERFACES_KEPT:
            _INTERFACES.popitem(last=False)
    return found


def _store(session: Session, actor: Actor, entries: list[Entry], source: str) -> ConfigurationOut:
    digest = content_digest(entries)
    known = repository.by_digest(session, actor.organization_id, digest, is_held=True)
    if known is not None and known.removed_at is None:
        if source.startswith(f"{operator_modules.PREFIX}/"):
            known.source = source
        return _present(known)
    packed = pack(entries)
    # Before the row: what a row names is always there. A roll-back leaves an artifact that the next upload reuses, or
    # that the sweep of orphans removes, which the lock keeps away meanwhile.
    repository.serialize(session, actor.organization_id, digest)
    reference = artifact_store().put(packed, organization_id=actor.organization_id, kind="configuration", owner=digest)
    values: dict[str, Any] = {
        "id": new_id("conf"),
        "organization_id": actor.organization_id,
        "digest": digest,
        "source": source,
        "archive": reference.model_dump(mode="json"),
        "size_bytes": len(packed),
        "file_count": len(entries),
        "created_by": actor.describe(),
        "created_at": clock.now(),
    }
    created = repository.insert_unless_there(session, values)
    row = repository.by_digest(session, actor.organization_id, digest)
    if row is not None and row.removed_at is not None:
        row.archive, row.removed_at = values["archive"], None
        session.flush()
    if row is None:
        raise ConfigurationNotFound(f"The configuration {digest} was removed while it was stored; try again.")
    if created:
        evidence = {"digest": digest, "source": source, "size_bytes": len(packed), "file_count": len(entries)}
        audit.record(session, actor, "configuration.stored", ("configuration", row.id), evidence)
    return _present(row, created=created)


def _present(row: Configuration, *, created: bool = False) -> ConfigurationOut:
    return ConfigurationOut(
        id=row.id,
        organization_id=row.organization_id,
        digest=row.digest,
        source=row.source,
        size_bytes=row.size_bytes,
        file_count=row.file_count,
        created_at=row.created_at,
        removed_at=row.removed_at,
        archive=ArtifactRef.model_validate(row.archive),
        created=created,
    )


def lock_old_uploads(session: Session, before: datetime, after: str, limit: int) -> list[ConfigurationOut]:
    """Return uploads older than ``before``, in id order behind ``after``, held against use until this transaction ends.

    One that somebody takes just now is left out.
    """
    return [_present(row) for row in repository.lock_old_uploads(session, before, after, limit)]


def remove(session: Session, configuration: ConfigurationOut) -> None:
    """Let go of the files of a configuration that ``lock_old_uploads`` gave; its digest stays."""
    row = repository.by_id(session, configuration.organization_id, configuration.id)
    if row is not None:
        row.removed_at = clock.now()
        session.flush()
        after_commit(session, partial(_discard, configuration.organization_id, row.digest, configuration.archive.key))


def _discard(organization_id: str, digest: str, key: str) -> None:
    """Remove an archive in a transaction of its own: the same content may have been stored again meanwhile."""
    with unit_of_work() as session:
        discard_orphan(session, organization_id, digest, key)


def discard_orphan(session: Session, organization_id: str, digest: str, key: str) -> bool:
    """Remove an archive from the artifact store when no configuration names it; return whether it did.

    Whoever stores that content meanwhile waits until this transaction has ended.
    """
    repository.serialize(session, organization_id, digest)
    row = repository.by_digest(session, organization_id, digest)
    if row is not None and row.removed_at is None and row.archive.get("key") == key:
        return False
    artifact_store().discard(key)
    return True
