"""A run's credentials for the managed backend: issued in its claim, revoked once it has quiesced."""

import secrets
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.core import clock
from app.core.canonical import sha256_hex
from app.core.ids import new_id
from app.core.settings import get_settings
from app.state import backend_repository

PREFIX = "slr_"
PATH = "/terraform/state"
Phase = Literal["plan", "apply"]

# An engine tries again after 1, 2, 4 and 8 s when the API is away: less than the grace period after an interrupt, so
# that there is time left to write errored.tfstate.
_RETRIES = "4"


def hash_secret(secret: str) -> str:
    """Return what is kept of a credential. It is 32 random bytes, so a plain SHA-256 can't be guessed backwards."""
    return sha256_hex(secret.encode())


def issue_run_credential(
    session: Session,
    *,
    organization_id: str,
    workspace_id: str,
    run_id: str,
    phase: Phase,
    holder: dict[str, Any],
) -> dict[str, str]:
    """Issue a credential for one run, workspace and phase, and return the engine's environment that carries it.

    ``holder`` is written down as who made the state versions. The environment is secret, and never kept.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    backend_repository.add_credential(
        session,
        {
            "id": new_id("rcr"),
            "organization_id": organization_id,
            "workspace_id": workspace_id,
            "run_id": run_id,
            "phase": phase,
            "secret_hash": hash_secret(secret),
            "holder": holder,
            "created_at": clock.now(),
        },
    )
    settings = get_settings()
    address = f"{settings.runner_url or settings.url}{PATH}/{workspace_id}"
    return {
        "TF_HTTP_ADDRESS": address,
        "TF_HTTP_LOCK_ADDRESS": address,
        "TF_HTTP_LOCK_METHOD": "LOCK",
        "TF_HTTP_UNLOCK_ADDRESS": address,
        "TF_HTTP_UNLOCK_METHOD": "UNLOCK",
        "TF_HTTP_UPDATE_METHOD": "POST",
        "TF_HTTP_USERNAME": run_id,
        "TF_HTTP_PASSWORD": secret,
        "TF_HTTP_RETRY_MAX": _RETRIES,
    }


def revoke_run_credentials(session: Session, run_id: str) -> None:
    """Revoke the run's credentials: it has quiesced. A write that has begun is stored before."""
    backend_repository.revoke(session, run_id, clock.now())


def settle_snapshots(session: Session, run_id: str) -> str | None:
    """Make the last snapshot that a run's engine sent its `applied` state; return the run's newest version's id."""
    return backend_repository.mark_last_snapshot_applied(session, run_id)
