"""Where policy sets come from: the policies directory, uploads and git. Reads and compiles them; pins nothing."""

from dataclasses import dataclass

from app.configurations import service as configurations
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.policy import bundles, repository
from app.policy.checker import PolicyChecker
from app.policy.errors import PolicySetNotFound
from app.policy.schemas import PolicyBundle

UPLOAD_PREFIX = "upload:sha256:"
_HEX = frozenset("0123456789abcdef")
_DIGEST_LENGTH = 64
_ARCHIVE_ENTRIES = 2000
_GIT_BYTES = 4 * bundles.MAX_BYTES
_GZIP = b"\x1f\x8b"
_TAR = b"ustar"


@dataclass(frozen=True)
class Found:
    """A policy set as it lies at its source now; ``commit_id`` names the commit of a git source."""

    bundle: PolicyBundle
    commit_id: str | None = None


def normal(uri: str) -> str:
    """Return a policy set's address in the form in which it is kept."""
    return uri.removeprefix("./").rstrip("/")


def read(organization_id: str, uri: str) -> Found:
    """Return the policy set at ``uri`` as it is now, compiled.

    Call it before the first query: it takes its own time, and a transaction of its own where it needs one. Raises
    ``PolicySetUriRefused``, ``PolicySetNotFound``, ``PolicySetInvalid``, ``ToolMissing`` without an engine, and for git
    what ``configurations.fetch_git`` raises.
    """
    if uri.startswith("upload:"):
        return Found(_uploaded(organization_id, uri))
    if configurations.is_git(uri):
        fetched = configurations.fetch_git(uri, most_bytes=_GIT_BYTES, most_files=_ARCHIVE_ENTRIES)
        return Found(PolicyChecker().compile(bundles.of_files(fetched.files, uri)), fetched.commit_id)
    return Found(PolicyChecker().compile(bundles.load(get_settings().policies_dir, uri)))


def peek(uri: str) -> tuple[str, str | None]:
    """Return the digest, and for git the commit, of what lies at a source now; nothing is compiled. Raises as ``read``.

    What was uploaded never moves, so it has no source to look at.
    """
    if configurations.is_git(uri):
        fetched = configurations.fetch_git(uri, most_bytes=_GIT_BYTES, most_files=_ARCHIVE_ENTRIES)
        return bundles.of_files(fetched.files, uri).digest, fetched.commit_id
    return bundles.load(get_settings().policies_dir, uri).digest, None


def text_of(organization_id: str, uri: str) -> PolicyBundle:
    """Return the policy set at ``uri`` as it is now, not compiled, where that takes no time.

    Raises ``PolicySetUriRefused``, also for git, ``PolicySetNotFound`` and ``PolicySetInvalid``.
    """
    if uri.startswith("upload:"):
        return _uploaded(organization_id, uri)
    if configurations.is_git(uri):
        raise bundles.uri_refused("the text of a git source is read through its attachment")
    return bundles.load(get_settings().policies_dir, uri)


def of_upload(data: bytes, name: str) -> PolicyBundle:
    """Return the policy set in an upload, compiled: a tar or tar.gz without links, or one Rego file called ``name``.

    Raises ``ArchiveRefused``, ``ArchiveTooLarge``, ``PolicySetInvalid``, and ``ToolMissing`` without an engine.
    """
    if data.startswith(_GZIP) or data[257:262] == _TAR:
        contents = configurations.unpack(
            data,
            packed_bytes=bundles.MAX_BYTES,
            unpacked_bytes=2 * bundles.MAX_BYTES,
            most_entries=_ARCHIVE_ENTRIES,
            packing="`sluice policy upload DIR` or `tar -czf`",
        )
    else:
        contents = {name if name.endswith(".rego") else "policy.rego": data}
    return PolicyChecker().compile(bundles.of_files(contents, "upload"))


def upload_uri(digest: str) -> str:
    """Return the address of an uploaded policy set by the digest of its files."""
    return UPLOAD_PREFIX + digest


def _uploaded(organization_id: str, uri: str) -> PolicyBundle:
    digest = uri.removeprefix(UPLOAD_PREFIX)
    if not uri.startswith(UPLOAD_PREFIX) or len(digest) != _DIGEST_LENGTH or not _HEX.issuperset(digest):
        raise bundles.uri_refused(
            f"{uri!r} is no address of an upload: it is {UPLOAD_PREFIX} and 64 hexadecimal digits"
        )
    with unit_of_work() as session:
        found = repository.find_uploaded(session, organization_id, digest)
        if found is None:
            raise PolicySetNotFound(
                f"There is no uploaded policy set {uri}. Upload it with `sluice policy upload`, or POST "
                "/terraform/policy-bundles.",
                policy_set_uri=uri,
            )
        return PolicyBundle.model_validate(found.files)
