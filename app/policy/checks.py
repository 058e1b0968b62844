"""What a workspace's policy sets say of a plan: what binds it, the check, and the checks that are stored.

Checking itself holds no transaction: ``attachments_for`` reads values, ``check`` evaluates them, ``store_checks``
writes the results.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core.ids import new_id
from app.core.permissions import system_actor
from app.policy import findings, repository
from app.policy.checker import PolicyChecker
from app.policy.models import TerraformPolicyCheck
from app.policy.schemas import (
    CheckReport,
    PinnedAttachment,
    PolicyBundle,
    PolicyCheckOut,
    PolicyDocument,
    Stage,
)


def attachments_for(
    session: Session, *, organization_id: str, workspace_id: str, tags: Sequence[str]
) -> list[PinnedAttachment]:
    """Return, as values, everything that binds a workspace with these tags: its own, its tags', the organization's."""
    return [
        PinnedAttachment(
            id=attachment.id,
            policy_set_uri=attachment.policy_set_uri,
            enforcement_level=attachment.enforcement_level,  # type: ignore[arg-type]  # the table's check constraint
            waives_unevaluable=attachment.waives_unevaluable,
            bundle=PolicyBundle.model_validate(bundle.files),
            bundle_digest=attachment.bundle_digest,
        )
        for attachment, bundle in repository.pinned(session, organization_id, workspace_id, tags)
    ]


def digests_for(
    session: Session, *, organization_id: str, workspace_id: str, tags: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Return (id, digest of its bundle, level) of everything that binds a workspace, without the bundles."""
    return list(repository.pinned_digests(session, organization_id, workspace_id, tags))


def check(pinned: Sequence[PinnedAttachment], document: PolicyDocument | Mapping[str, Any]) -> CheckReport:
    """Evaluate attachments over a document by the engine that the settings choose; see ``PolicyChecker.check``."""
    return PolicyChecker().check(pinned, document)


def results_digest(checked: CheckReport | Sequence[PolicyCheckOut]) -> str:
    """Return the digest of a check's results for the plan's fingerprint; stored checks of one stage give the same."""
    return checked.results_digest if isinstance(checked, CheckReport) else findings.results_digest(checked)


def store_checks(session: Session, organization_id: str, run_id: str, stage: Stage, report: CheckReport) -> None:
    """Store what a check said of a run, in place of what an earlier check of this stage said; the audit trail has both.

    Attachments that were deleted in between are thereby gone from the run, too.
    """
    replaced = repository.remove_checks(session, run_id, stage)
    checks = [
        TerraformPolicyCheck(
            id=new_id("polchk"),
            organization_id=organization_id,
            run_id=run_id,
            stage=stage,
            attachment_id=result.attachment_id,
            policy_set_uri=result.policy_set_uri,
            bundle_digest=result.bundle_digest,
            enforcement_level=result.enforcement_level,
            outcome=result.outcome,
            findings=[finding.model_dump() for finding in result.findings],
            error=result.error,
            policy_engine=result.policy_engine,
            duration_ms=result.duration_ms,
        )
        for result in report.results
    ]
    repository.add(session, *checks)
    if report.results or replaced:
        evidence = {
            "stage": stage,
            "verdict": report.verdict,
            "results_digest": report.results_digest,
            "results": [
                {
                    "policy_set_uri": result.policy_set_uri,
                    "enforcement_level": result.enforcement_level,
                    "bundle_digest": result.bundle_digest,
                    "outcome": result.outcome,
                    "denied": sum(finding.kind == "deny" for finding in result.findings),
                }
                for result in report.results
            ],
        }
        audit.record(session, system_actor(organization_id), "policy.checked", ("run", run_id), evidence)


def checks_of(session: Session, run_ids: Iterable[str]) -> dict[str, list[PolicyCheckOut]]:
    """Return what the newest check of each stage said of runs, by run id; runs without any are absent."""
    found: dict[str, list[PolicyCheckOut]] = {}
    for row in repository.checks(session, run_ids):
        found.setdefault(row.run_id, []).append(
            PolicyCheckOut.model_validate(row, from_attributes=True),
        )
    return found
