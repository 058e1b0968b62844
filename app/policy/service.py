"""Policy sets and their attachments: what can be attached, what is, and what it is pinned to.

What they say of a plan is in ``checks``, which this module shows to other slices.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.configurations import service as configurations
from app.core import clock, events
from app.core.db import unit_of_work
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.fence import service as fence
from app.policy import bundles, findings, repository, sources
from app.policy.checker import PolicyChecker, review_of
from app.policy.checks import attachments_for, check, checks_of, digests_for, results_digest, store_checks
from app.policy.errors import PolicyAttachmentExists, PolicyAttachmentInvalid, PolicyAttachmentNotFound
from app.policy.models import TerraformPolicyAttachment, TerraformPolicyBundle
from app.policy.redaction import SENSITIVE_MARKER, build_input
from app.policy.schemas import (
    EnforcementLevel,
    Evaluated,
    Outcome,
    PoliciesMoved,
    PolicyAttachmentIn,
    PolicyAttachmentOut,
    PolicyBundle,
    PolicyBundleOut,
    PolicyDocument,
    PolicyNewerOut,
    PolicySetOut,
    PolicySourceOut,
    PolicySyncOut,
    Verdict,
    WhoOut,
    WorkspaceRef,
)
from app.workspaces import service as workspaces

_UPLOADS_LISTED = 100

__all__ = [
    "SENSITIVE_MARKER",
    "PolicyChecker",
    "attach",
    "attachments_for",
    "build_input",
    "check",
    "checks_of",
    "compile_draft",
    "compiled_set",
    "detach",
    "digests_for",
    "engine_name",
    "evaluate_many",
    "get_attachment",
    "get_ready",
    "is_fetched",
    "list_attachments",
    "policy_sets",
    "results_digest",
    "source_of_attachment",
    "source_of_set",
    "store_checks",
    "sync",
    "upload",
    "verdict_of",
]


def policy_sets(session: Session, actor: Actor) -> list[PolicySetOut]:
    """Return the policy sets that can be attached, with their packages: shipped ones, then the newest uploads.

    Broken ones say why.
    """
    uploaded = repository.newest_uploads(session, actor.organization_id, _UPLOADS_LISTED)
    return [*bundles.shipped(get_settings().policies_dir), *(_describe_upload(row) for row in uploaded)]


def upload(session: Session, actor: Actor, data: bytes, name: str) -> PolicyBundleOut:
    """Store a policy set that somebody sent: a tar, a tar.gz or one Rego file; ``name`` is what people call it.

    Raises ``ArchiveRefused``, ``ArchiveTooLarge`` and ``PolicySetInvalid``.
    """
    bundle = sources.of_upload(data, name)
    _keep(session, actor.organization_id, bundle)
    is_new = repository.note_upload(session, actor.organization_id, bundle.digest, name, actor.describe())
    row = repository.find_uploaded(session, actor.organization_id, bundle.digest)
    assert row is not None
    if is_new:
        evidence = {"policy_set_uri": sources.upload_uri(bundle.digest), "name": name, "files": sorted(bundle.files)}
        audit.record(session, actor, "policy.uploaded", ("policy_bundle", row.id), evidence)
    return PolicyBundleOut(**_describe_upload(row).model_dump(), is_new=is_new)


def compiled_set(organization_id: str, uri: str) -> PolicyBundle:
    """Return the policy set at ``uri`` as it is now, compiled; nothing is kept. Raises as ``attach`` does."""
    return sources.read(organization_id, sources.normal(uri)).bundle


def is_fetched(uri: str) -> bool:
    """Return whether this server fetches what is at ``uri`` from elsewhere, with its own key: of git."""
    return configurations.is_git(sources.normal(uri))


def engine_name() -> str:
    """Return the policy engine that would be used now, with its version; ``none`` when it is missing."""
    return PolicyChecker().engine_name()


def get_ready() -> None:
    """Read the shipped policy sets as a check does, so that processes forked from this one needn't."""
    settings = get_settings()
    for item in bundles.shipped(settings.policies_dir):
        if item.error is None:
            review_of(bundles.load(settings.policies_dir, item.uri), settings.policy_allowed_builtins)


def compile_draft(files: Mapping[str, str], data: str | None = None) -> PolicyBundle:
    """Return the bundle that a draft's files (name to text) and its ``data.json`` make, once it compiles.

    Raises ``PolicySetInvalid`` with the reason, and ``ToolMissing`` when the engine that is asked for is missing.
    """
    return PolicyChecker().compile(bundles.draft(files, data))


def verdict_of(outcome: Outcome, level: EnforcementLevel, *, waives_unevaluable: bool = False) -> Verdict:
    """Return the verdict that one outcome gives at a level, if nothing else is attached."""
    return findings.weigh(outcome, level, waives_unevaluable=waives_unevaluable)


def evaluate_many(
    bundle: PolicyBundle, documents: Iterable[PolicyDocument | Mapping[str, Any] | bytes]
) -> Iterator[Evaluated]:
    """Yield what a bundle says of each document, in their order; see ``PolicyChecker.evaluate_many``."""
    return PolicyChecker().evaluate_many(bundle, documents)


def attach(session: Session, actor: Actor, body: PolicyAttachmentIn) -> PolicyAttachmentOut:
    """Read, compile and pin a policy set, and bind it to a workspace, a tag or the organization.

    Raises ``PolicySetUriRefused``, ``PolicySetNotFound``, ``PolicySetInvalid``, ``PolicyAttachmentInvalid`` for a
    contradiction, ``PolicyAttachmentExists`` when it is bound there already, ``NotFound`` for an unknown workspace.
    """
    _check_consistent(body)
    uri = sources.normal(body.policy_set_uri)
    # Before the first query: no transaction is open while the source is read and compiled.
    found = sources.read(actor.organization_id, uri)
    workspace_id = workspaces.get(session, actor.organization_id, body.workspace).id if body.workspace else None
    _lock(session, actor.organization_id, workspace_id)
    known = repository.find_equal(session, actor.organization_id, uri, workspace_id, body.tag)
    if known is not None:
        raise PolicyAttachmentExists(
            f"{uri} is attached there already as {known.id} ({known.enforcement_level}). Delete that one first, or "
            "sync it to read the policy set again.",
            attachment_id=known.id,
        )
    row = TerraformPolicyAttachment(
        id=new_id("polatt"),
        organization_id=actor.organization_id,
        workspace_id=workspace_id,
        tag=body.tag,
        policy_set_uri=uri,
        enforcement_level=body.enforcement_level,
        waives_unevaluable=body.waives_unevaluable,
        bundle_id=_keep(session, actor.organization_id, found.bundle),
        bundle_digest=found.bundle.digest,
        commit_id=found.commit_id,
        synced_at=clock.now(),
        created_by=actor.describe(),
    )
    repository.add(session, row)
    _moved(session, actor, row, "policy.attached", {"waives_unevaluable": row.waives_unevaluable})
    return _present(session, [row])[0]


def sync(session: Session, actor: Actor, attachment_id: str) -> PolicySyncOut:
    """Read the policy set again and pin the attachment to what is there now.

    Nothing moves when it is unchanged. Raises ``PolicyAttachmentNotFound``, and as ``attach`` does for a set that can't
    be used; the attachment then stays pinned to what it had.
    """
    with unit_of_work() as reading:
        row = _get(reading, actor, attachment_id)
    # No transaction is open while the source is read.
    found = sources.read(actor.organization_id, row.policy_set_uri)
    bundle = found.bundle
    _lock(session, actor.organization_id, row.workspace_id)
    fresh = repository.find_refreshed(session, actor.organization_id, attachment_id)
    if fresh is None:
        raise _not_found(attachment_id)
    is_changed = bundle.digest != fresh.bundle_digest
    before = fresh.bundle_digest
    fresh.synced_at = clock.now()
    fresh.commit_id = found.commit_id
    fresh.looked_at = fresh.newer_digest = fresh.newer_commit_id = fresh.look_error = None
    if is_changed:
        fresh.bundle_id = _keep(session, actor.organization_id, bundle)
        fresh.bundle_digest = bundle.digest
        session.flush()
        _moved(session, actor, fresh, "policy.synced", {"previous_bundle_digest": before})
    return PolicySyncOut(attachment=_present(session, [fresh])[0], is_changed=is_changed)


def detach(session: Session, actor: Actor, attachment_id: str) -> None:
    """Delete an attachment; checks that it made stay. Raises ``PolicyAttachmentNotFound``."""
    row = _get(session, actor, attachment_id)
    _lock(session, actor.organization_id, row.workspace_id)
    fresh = repository.find_refreshed(session, actor.organization_id, attachment_id)
    if fresh is None:
        raise _not_found(attachment_id)
    fresh.deleted_at = clock.now()
    session.flush()
    _moved(session, actor, fresh, "policy.detached", {})


def get_attachment(session: Session, actor: Actor, attachment_id: str) -> PolicyAttachmentOut:
    """Return one attachment. Raises ``PolicyAttachmentNotFound``."""
    return _present(session, [_get(session, actor, attachment_id)])[0]


def list_attachments(
    session: Session, actor: Actor, params: PageParams, workspace: str | None = None
) -> Page[PolicyAttachmentOut]:
    """Return a page of attachments, newest first; with ``workspace`` (id or name) those that bind it, however."""
    binding = None
    if workspace is not None:
        found = workspaces.get(session, actor.organization_id, workspace)
        binding = (found.id, found.tags)
    rows, cursor = repository.page(session, actor.organization_id, params, binding)
    return Page(items=_present(session, rows), next_cursor=cursor)


def source_of_attachment(session: Session, actor: Actor, attachment_id: str) -> PolicySourceOut:
    """Return the text that an attachment is pinned to. Raises ``PolicyAttachmentNotFound``."""
    row = _get(session, actor, attachment_id)
    kept = repository.bundles(session, [row.bundle_id])[row.bundle_id]
    return _source(row.policy_set_uri, PolicyBundle.model_validate(kept.files))


def source_of_set(actor: Actor, policy_set_uri: str) -> PolicySourceOut:
    """Return the text of a policy set as it is now, not compiled. Raises what reading it for an attachment raises."""
    uri = sources.normal(policy_set_uri)
    return _source(uri, sources.text_of(actor.organization_id, uri))


def _check_consistent(body: PolicyAttachmentIn) -> None:
    if body.workspace is not None and body.tag is not None:
        message = "name a workspace or a tag, not both; with neither the organization is bound"
        raise PolicyAttachmentInvalid.of_field("tag", message)
    if body.waives_unevaluable and body.enforcement_level != "advisory":
        message = "only an advisory attachment may let pass what can't be evaluated"
        raise PolicyAttachmentInvalid.of_field("waives_unevaluable", message)


def _newer(row: TerraformPolicyAttachment) -> PolicyNewerOut | None:
    if row.looked_at is None:
        return None
    return PolicyNewerOut(
        looked_at=row.looked_at,
        bundle_digest=row.newer_digest,
        commit_id=row.newer_commit_id,
        error=row.look_error,
    )


def _describe_upload(row: TerraformPolicyBundle) -> PolicySetOut:
    bundle = PolicyBundle.model_validate(row.files)
    described = bundles.describe(sources.upload_uri(row.digest), row.name or row.digest[:12], bundle)
    return described.model_copy(
        update={"uploaded_at": row.uploaded_at, "uploaded_by": WhoOut.model_validate(row.uploaded_by)}
    )


def _keep(session: Session, organization_id: str, bundle: PolicyBundle) -> str:
    return repository.keep_bundle(session, organization_id, bundle.digest, bundle.model_dump())


def _source(uri: str, bundle: PolicyBundle) -> PolicySourceOut:
    return PolicySourceOut(policy_set_uri=uri, bundle_digest=bundle.digest, files=bundle.files, data=bundle.data)


def _lock(session: Session, organization_id: str, workspace_id: str | None) -> None:
    """Keep approve and verify out until commit, so that none sees half a change of what binds them."""
    if workspace_id is None:
        fence.hold_exclusive(session, organization_id)
    else:
        workspaces.lock_exclusive(session, workspace_id)


def _moved(
    session: Session, actor: Actor, row: TerraformPolicyAttachment, action: str, evidence: dict[str, Any]
) -> None:
    described = {
        "policy_set_uri": row.policy_set_uri,
        "enforcement_level": row.enforcement_level,
        "workspace_id": row.workspace_id,
        "tag": row.tag,
        "bundle_digest": row.bundle_digest,
    }
    audit.record(session, actor, action, ("policy_attachment", row.id), {**described, **evidence})
    events.publish(session, PoliciesMoved(row.organization_id, row.workspace_id))


def _get(session: Session, actor: Actor, attachment_id: str) -> TerraformPolicyAttachment:
    row = repository.find(session, actor.organization_id, attachment_id)
    if row is None:
        raise _not_found(attachment_id)
    return row


def _not_found(attachment_id: str) -> PolicyAttachmentNotFound:
    return PolicyAttachmentNotFound(f"There is no policy attachment {attachment_id!r} in this organization.")


def _present(session: Session, rows: Sequence[TerraformPolicyAttachment]) -> list[PolicyAttachmentOut]:
    kept: dict[str, TerraformPolicyBundle] = repository.bundles(session, {row.bundle_id for row in rows})
    bound = workspaces.get_many(session, [row.workspace_id for row in rows if row.workspace_id is not None])
    return [
        PolicyAttachmentOut(
            id=row.id,
            policy_set_uri=row.policy_set_uri,
            enforcement_level=row.enforcement_level,  # type: ignore[arg-type]  # the table's check constraint
            hard_mandatory=row.enforcement_level == "hard-mandatory",
            waives_unevaluable=row.waives_unevaluable,
            workspace=(
                WorkspaceRef(id=row.workspace_id, name=bound[row.workspace_id].name)
                if row.workspace_id is not None
                else None
            ),
            tag=row.tag,
            bundle_digest=row.bundle_digest,
            commit_id=row.commit_id,
            newer=_newer(row),
            files=sorted(kept[row.bundle_id].files["files"]),
            synced_at=row.synced_at,
            created_by=WhoOut.model_validate(row.created_by),
            created_at=row.created_at,
        )
        for row in rows
    ]
