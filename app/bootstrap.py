"""The first organization, its admin, a login link and, if wanted, the demo; a process of its own, run at each start.

What is there stays: a second run makes nothing new but a fresh login link. It prints one line of JSON last: ``token``
(the admin's, the same each time, kept 0600 in the data directory), ``login_url`` and ``organization``; or ``error`` and
``detail``.
"""

import argparse
import json
import os
import secrets
import sys
from dataclasses import dataclass
from datetime import timedelta
from logging import getLogger
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import registry
from app.client.packing import pack
from app.configurations import service as configurations
from app.core import logging
from app.core.db import unit_of_work
from app.core.errors import AppError, Unavailable
from app.core.permissions import Actor, system_actor
from app.core.settings import Settings, get_settings
from app.fence import service as fence
from app.fence.schemas import EVERYTHING
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import OrganizationOut, ServiceAccountIn, TokenIn, UserIn, UserOut
from app.policy import service as policy
from app.policy.schemas import EnforcementLevel, PolicyAttachmentIn
from app.runs import service as runs
from app.runs.schemas import RunRequest
from app.specs import service as specs
from app.specs.schemas import TerraformStackSpec
from app.workspaces import service as workspaces
from app.workspaces.schemas import NewWorkspace, VariableIn

ORGANIZATION = "default"
ADMIN_EMAIL = "admin@localhost"
LINK_LIFETIME = timedelta(hours=12)
DEMO = "demo"
DEMO_ACCOUNT = "ci-demo"
DEMO_FILES = Path(__file__).resolve().parents[1] / "examples" / "demo"
DEMO_POLICIES: tuple[tuple[str, EnforcementLevel], ...] = (
    ("policies/blast_radius", "advisory"),
    ("policies/no_destroy_protected", "hard-mandatory"),
)
_log = getLogger(__name__)


@dataclass(frozen=True)
class Seeded:
    """What a start needs: the admin's token, whether it is a new one, the login link, the organization."""

    token: str
    is_new_token: bool
    login_url: str
    organization: OrganizationOut


def token_file(home: Path) -> Path:
    """Return where the admin's token is kept."""
    return home / "admin.token"


def read_token(home: Path) -> str | None:
    """Return the kept token, or None. Takes it away from others who could read it."""
    path = token_file(home)
    try:
        token = path.read_text().strip()
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return token or None


def write_token(home: Path, token: str) -> None:
    """Keep the token, 0600; a crash leaves the old file or the new one, never half of one."""
    path = token_file(home)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token}\n")
    temporary.replace(path)


def seed(session: Session, kept_token: str | None) -> Seeded:
    """Make sure of the outermost fence, an organization, an admin and a token; make a fresh login link.

    ``kept_token`` is used again while it is an admin's of the organization. Two at once wait for each other on the
    outermost fence. Raises ``Unavailable`` when the only admins are disabled.
    """
    fence.create_everything(session)
    fence.hold_exclusive(session, EVERYTHING)
    organization = identity.first_organization(session) or identity.create_organization(
        session, ORGANIZATION, is_operator=True
    )
    admin = _admin(session, organization)
    system = system_actor(organization.id)
    link = identity.create_login_link(session, system, admin.id, lifetime=LINK_LIFETIME)
    holder = identity.resolve_token(session, kept_token) if kept_token is not None else None
    if kept_token is not None and holder is not None and _is_admins(holder, organization):
        return Seeded(kept_token, False, link.login_url, organization)
    actor = identity.actor_of_user(session, organization.id, admin.id)
    if actor is None:
        raise Unavailable(f"The admin {admin.email} is disabled; enable them, or make someone else an admin.")
    token = identity.issue_token(session, actor, TokenIn(name="sluice up")).token
    return Seeded(token, True, link.login_url, organization)


def _admin(session: Session, organization: OrganizationOut) -> UserOut:
    known = identity.list_admins(session, organization.id)
    if known:
        return known[0]
    body = UserIn(email=ADMIN_EMAIL, name="Admin", roles=[Role.ADMIN])
    return identity.create_user(session, system_actor(organization.id), body)


def _is_admins(holder: Actor, organization: OrganizationOut) -> bool:
    return holder.kind == "person" and holder.organization_id == organization.id and Role.ADMIN in holder.roles


def seed_demo(session: Session, organization_id: str) -> str | None:
    """Seed the demo once: a stack, a workspace, and a first plan that a service account asks for; return the run's id.

    None when it was seeded before, also when its things were deleted since: then nobody wants them back. In this
    organization of one member the requester may approve, which the UI shows as four-eyes being off.
    """
    fence.hold_exclusive(session, EVERYTHING)
    system = system_actor(organization_id)
    admins = identity.list_admins(session, organization_id)
    admin = identity.actor_of_user(session, organization_id, admins[0].id) if admins else None
    if admin is None or identity.find_service_account(session, organization_id, DEMO_ACCOUNT) is not None:
        return None
    body = ServiceAccountIn(name=DEMO_ACCOUNT, roles=[Role.PLANNER])
    account = identity.create_service_account(session, system, body)
    configuration = configurations.store_archive(session, admin, pack(DEMO_FILES).data)
    spec = TerraformStackSpec(
        name=DEMO,
        description="A shop's network and services, made of nothing but terraform_data.",
        configuration_digest=configuration.digest,
    )
    specs.push(session, admin, spec, message="The demo's first version")
    workspace = workspaces.create(
        session,
        admin,
        NewWorkspace(
            name=DEMO,
            stack=DEMO,
            description="Try the gate here: approve the waiting plan and watch it apply.",
            tags=[DEMO],
            requester_may_approve=True,
        ),
    )
    password = VariableIn(value=secrets.token_urlsafe(18), is_sensitive=True, description="The shop's database.")
    workspaces.put_variable(session, admin, workspace.id, "terraform", "database_password", password)
    for uri, level in DEMO_POLICIES:
        attachment = PolicyAttachmentIn(policy_set_uri=uri, enforcement_level=level, workspace=workspace.id)
        policy.attach(session, admin, attachment)
    wanted = RunRequest(workspace=workspace.id, message="Build the shop", source="ci")
    requester = identity.actor_of_service_account(session, organization_id, account.id)
    if requester is None:
        return None
    return str(runs.request(session, requester, wanted, None)["id"])


def _seed_demo_if_possible(organization_id: str) -> None:
    try:
        with unit_of_work() as session:
            seed_demo(session, organization_id)
    except AppError as error:
        _log.error("the demo was not seeded", extra={"code": error.code, "detail": error.detail})


def bootstrap(settings: Settings, *, has_demo: bool) -> dict[str, Any]:
    """Seed and return what is printed. Raises an ``AppError`` that says what is wrong.

    A demo that can't be seeded is logged, and keeps nobody from starting.
    """
    try:
        with unit_of_work() as session:
            seeded = seed(session, read_token(settings.home))
    except OperationalError as error:
        raise Unavailable(f"The database can't be reached: {str(error.orig).strip()}") from error
    if seeded.is_new_token:
        write_token(settings.home, seeded.token)
    if has_demo:
        _seed_demo_if_possible(seeded.organization.id)
    return {
        "token": seeded.token,
        "login_url": seeded.login_url,
        "organization": seeded.organization.model_dump(exclude={"is_operator"}),
    }


def main(arguments: list[str]) -> int:
    """Bootstrap by the environment's settings; exit 1, with ``error`` and ``detail``, when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m app.bootstrap", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON (always so; for scripts)")
    parser.add_argument("--demo", action=argparse.BooleanOptionalAction, default=False, help="seed the demo")
    parser.add_argument("--url", help="public address, instead of SLUICE_URL")
    options = parser.parse_args(arguments)
    if options.url:
        os.environ["SLUICE_URL"] = options.url
        get_settings.cache_clear()
    settings = get_settings()
    logging.configure(settings.log_level)
    registry.connect()
    try:
        answer = bootstrap(settings, has_demo=options.demo)
    except AppError as error:
        answer = {"error": error.code, "detail": error.detail}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
