"""Overrides of soft-mandatory policy failures: who may, for how long, and which one stands. Knows no run.

The caller holds the run's row lock, and the organization's fence shared, and says what failed. An override is a
person's word on one fingerprint, so on exactly these results; what ends it is kept beside it, and it is never removed.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from app.approvals import override_repository as repository
from app.approvals.errors import (
    FingerprintMismatch,
    OverrideMustBePerson,
    OverrideReasonMissing,
    OverrideTooLong,
    SelfOverrideForbidden,
)
from app.approvals.models import TerraformOverride
from app.approvals.schemas import Decider, OverriddenSet, OverrideOut, StandingOverride
from app.audit import service as audit
from app.core import clock
from app.core.errors import AppError, Forbidden
from app.core.ids import new_id
from app.core.permissions import Actor, Permission, system_actor
from app.core.settings import get_settings
from app.identity import service as identity

MAX_REASON = 4000


def record_override(
    session: Session,
    actor: Actor,
    *,
    run_id: str,
    organization_id: str,
    fingerprint: str,
    reason: str,
    expires_in_seconds: int | None,
    requested_by_id: str,
    failed: Sequence[OverriddenSet],
    seen_fingerprint: str | None = None,
) -> OverrideOut:
    """Record a person's override of ``failed`` on the plan with this fingerprint; call it under the run's row lock.

    ``expires_in_seconds`` None is the installation's default. Raises ``OverrideMustBePerson``, ``Forbidden`` for who
    lacks the right, ``SelfOverrideForbidden``, ``OverrideReasonMissing``, ``OverrideTooLong``, ``FingerprintMismatch``.
    """
    refusal = _refusal(session, actor, organization_id, requested_by_id)
    if refusal is not None:
        raise refusal
    seconds = _seconds(expires_in_seconds)
    _check_reason(reason)
    if seen_fingerprint is not None and seen_fingerprint != fingerprint:
        raise FingerprintMismatch(
            "The plan or what its policies say of it moved since you looked at it, so nothing was overridden. Read it "
            "again and decide then.",
            fingerprint=fingerprint,
        )
    at = clock.now()
    row = TerraformOverride(
        id=new_id("ovr"),
        organization_id=organization_id,
        created_at=at,
        run_id=run_id,
        actor=actor.describe(),
        actor_id=actor.id,
        reason=reason,
        fingerprint=fingerprint,
        policy_sets=[item.model_dump() for item in failed],
        expires_at=at + timedelta(seconds=seconds),
    )
    repository.add(session, row)
    evidence = {
        "override_id": row.id,
        "fingerprint": fingerprint,
        "reason": reason,
        "expires_at": row.expires_at.isoformat(),
        "policy_sets": row.policy_sets,
    }
    audit.record(session, actor, "run.overridden", ("run", run_id), evidence)
    return _present(row)


def may_override(session: Session, actor: Actor, *, organization_id: str, requested_by_id: str) -> str | None:
    """Return why the actor may not override policies of a run with this requester; None when they may."""
    refusal = _refusal(session, actor, organization_id, requested_by_id)
    return refusal.detail if refusal is not None else None


def overrides_of(session: Session, run_ids: Iterable[str]) -> dict[str, list[OverrideOut]]:
    """Return the overrides of runs, by run id, oldest first, ended ones too; runs without any are absent."""
    found: dict[str, list[OverrideOut]] = {}
    for row in repository.of_runs(session, run_ids):
        found.setdefault(row.run_id, []).append(_present(row))
    return found


def standing_override(session: Session, run_id: str) -> StandingOverride | None:
    """Return the run's override that was not ended, by the clock and the overrider's present rights."""
    row = repository.standing(session, run_id)
    if row is None:
        return None
    why_not = None
    has_expired = clock.now() >= row.expires_at
    name = row.actor.get("name", row.actor_id)
    if has_expired:
        why_not = f"{name}'s override expired at {row.expires_at.isoformat(timespec='seconds')}"
    elif row.actor_id not in identity.people_with(
        session, row.organization_id, [row.actor_id], Permission.RUNS_OVERRIDE
    ):
        why_not = f"{name}, who overrode its policies, may not override any more"
    return StandingOverride(
        fingerprint=row.fingerprint,
        sets=frozenset(OverriddenSet.model_validate(item) for item in row.policy_sets),
        has_expired=has_expired,
        why_not=why_not,
    )


def end_override(session: Session, run_id: str, reason: str) -> bool:
    """End the run's standing override, saying why; False when none stands. Call it under the run's row lock."""
    ended = repository.end(session, run_id, reason, clock.now())
    if ended is None:
        return False
    override_id, organization_id = ended
    evidence = {"override_id": override_id, "reason": reason}
    audit.record(session, system_actor(organization_id), "override.ended", ("run", run_id), evidence)
    return True


def due_overrides(session: Session) -> list[str]:
    """Return the runs, of all organizations, whose standing override has expired."""
    return list(repository.due(session, clock.now()))


def _refusal(session: Session, actor: Actor, organization_id: str, requested_by_id: str) -> AppError | None:
    if actor.kind != "person":
        return OverrideMustBePerson(
            f"{actor.name} is no person. Service accounts, AI agents and rules never override a policy; ask someone "
            "who may."
        )
    right = Permission.RUNS_OVERRIDE
    has_right = (
        actor.organization_id == organization_id
        and actor.may(right)
        and actor.id in identity.people_with(session, organization_id, [actor.id], right)
    )
    if not has_right:
        ask = actor.why_not([right], otherwise="Ask an admin of the organization for the role approver.")
        return Forbidden(f"{actor.name} may not override policies here. {ask}", permission=right.value)
    if actor.id == requested_by_id:
        return SelfOverrideForbidden(
            f"{actor.name} requested this run. Overriding its policies takes a second person, whatever the "
            "workspace's rules."
        )
    return None


def _seconds(wanted: int | None) -> int:
    settings = get_settings()
    most = settings.override_max_seconds
    if wanted is None:
        return min(settings.override_seconds, most)
    if wanted > most:
        message = f"is {wanted}; an override stands for {most} seconds at most (SLUICE_OVERRIDE_MAX_SECONDS)"
        raise OverrideTooLong.of_field("expires_in_seconds", message)
    return wanted


def _check_reason(reason: str) -> None:
    if not reason.strip():
        message = "say why the plan may go on although its policies deny it; it is shown beside the run for ever"
        raise OverrideReasonMissing.of_field("reason", message)
    if len(reason) > MAX_REASON:
        message = f"has {len(reason)} characters; at most {MAX_REASON} are kept"
        raise OverrideTooLong.of_field("reason", message)


def _present(row: TerraformOverride) -> OverrideOut:
    return OverrideOut(
        id=row.id,
        actor=Decider.model_validate(row.actor),
        reason=row.reason,
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        fingerprint=row.fingerprint,
        policy_set_uris=sorted({item["policy_set_uri"] for item in row.policy_sets}),
    )
