"""Policy sets and attachments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.configurations.errors import ArchiveRefused, ArchiveTooLarge
from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.policy import service
from app.policy.errors import (
    SET_REFUSALS,
    PolicyAttachmentExists,
    PolicyAttachmentInvalid,
    PolicyAttachmentNotFound,
    PolicyChangeMustBePerson,
    PolicySetInvalid,
    PolicySetNotFound,
    PolicySetUriRefused,
)
from app.policy.schemas import (
    PolicyAttachmentIn,
    PolicyAttachmentOut,
    PolicyBundleOut,
    PolicySetOut,
    PolicySourceOut,
    PolicySyncOut,
)
from app.policy.upload import REQUEST_BODY, bundle_body
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["policy"])
Reader = Annotated[Actor, requires(Permission.POLICIES_READ)]
Writer = Annotated[Actor, requires(Permission.POLICIES_WRITE)]
Loosener = Annotated[Actor, requires(Permission.POLICIES_WRITE, unless_person=PolicyChangeMustBePerson)]
"""Attaching only adds to what judges; detaching and syncing may take away from it, which no program does."""


@router.get("/policy-sets", operation_id="list_policy_sets", summary="List policy sets that can be attached")
def list_policy_sets(session: SessionDep, actor: Reader) -> list[PolicySetOut]:
    """Return the policy sets under `policies/`, then the hundred newest uploads. A broken one says why in `error`."""
    return service.policy_sets(session, actor)


@router.post(
    "/policy-bundles",
    operation_id="upload_policy_bundle",
    summary="Upload a policy set",
    status_code=201,
    responses=error_responses(ArchiveRefused, ArchiveTooLarge, PolicySetInvalid),
    openapi_extra=REQUEST_BODY,
)
def upload_policy_bundle(
    session: SessionDep,
    actor: Writer,
    data: Annotated[bytes, Depends(bundle_body)],
    name: Annotated[str, Query(min_length=1, max_length=100, description="What people call it.")] = "policy",
) -> PolicyBundleOut:
    """Store a tar, a tar.gz or one Rego file, once it compiles; `uri` is what an attachment names it by.

    The same content again gives the same `uri`, with `is_new` false.
    """
    return service.upload(session, actor, data, name)


@router.get(
    "/policy-sets/source",
    operation_id="read_policy_set_source",
    summary="Read the text of a policy set",
    responses=error_responses(PolicySetNotFound, PolicySetUriRefused, PolicySetInvalid),
)
def read_policy_set_source(
    actor: Reader,
    policy_set_uri: Annotated[str, Query(min_length=1, max_length=500, description="As an attachment names it.")],
) -> PolicySourceOut:
    """Return the Rego files and the data of a policy set as it is now, tests left out."""
    return service.source_of_set(actor, policy_set_uri)


@router.get(
    "/policy-attachments",
    operation_id="list_policy_attachments",
    summary="List policy attachments",
    responses=error_responses(WorkspaceNotFound),
)
def list_policy_attachments(
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    workspace: Annotated[
        str | None, Query(description="Id or name: only what binds this workspace, by itself, a tag or organization.")
    ] = None,
) -> Page[PolicyAttachmentOut]:
    """Return a page of attachments, newest first."""
    return service.list_attachments(session, actor, params, workspace)


@router.post(
    "/policy-attachments",
    operation_id="create_policy_attachment",
    summary="Attach a policy set",
    status_code=201,
    responses=error_responses(
        WorkspaceNotFound,
        PolicyAttachmentInvalid,
        PolicyAttachmentExists,
        *SET_REFUSALS,
    ),
)
def create_policy_attachment(session: SessionDep, actor: Writer, body: PolicyAttachmentIn) -> PolicyAttachmentOut:
    """Read and compile a policy set, pin it to its digest, and bind it to a workspace, a tag or the organization.

    Approvals of plans that it binds become void, and those plans are checked again.
    """
    return service.attach(session, actor, body)


@router.get(
    "/policy-attachments/{attachment_id}",
    operation_id="get_policy_attachment",
    summary="Read a policy attachment",
    responses=error_responses(PolicyAttachmentNotFound),
)
def get_policy_attachment(attachment_id: str, session: SessionDep, actor: Reader) -> PolicyAttachmentOut:
    """Return one attachment and what it is pinned to."""
    return service.get_attachment(session, actor, attachment_id)


@router.get(
    "/policy-attachments/{attachment_id}/source",
    operation_id="read_policy_attachment_source",
    summary="Read the text that an attachment is pinned to",
    responses=error_responses(PolicyAttachmentNotFound),
)
def read_policy_attachment_source(attachment_id: str, session: SessionDep, actor: Reader) -> PolicySourceOut:
    """Return the Rego files and the data that plans are judged by, as they were when the attachment was synced."""
    return service.source_of_attachment(session, actor, attachment_id)


@router.post(
    "/policy-attachments/{attachment_id}/sync",
    operation_id="sync_policy_attachment",
    summary="Read a policy set again",
    responses=error_responses(PolicyAttachmentNotFound, *SET_REFUSALS),
)
def sync_policy_attachment(attachment_id: str, session: SessionDep, actor: Loosener) -> PolicySyncOut:
    """Pin the attachment to the policy set as it is now. When that moved, approvals become void."""
    return service.sync(session, actor, attachment_id)


@router.delete(
    "/policy-attachments/{attachment_id}",
    operation_id="delete_policy_attachment",
    summary="Detach a policy set",
    status_code=204,
    responses=error_responses(PolicyAttachmentNotFound),
)
def delete_policy_attachment(attachment_id: str, session: SessionDep, actor: Loosener) -> None:
    """Delete an attachment. Approvals of plans that it bound become void; checks that it made stay."""
    service.detach(session, actor, attachment_id)
