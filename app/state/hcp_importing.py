"""Bringing a workspace's state and variables in from HCP Terraform, or from Terraform Enterprise."""

from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.core.idempotency import once
from app.core.permissions import Actor, Permission
from app.core.settings import get_settings
from app.state import importing
from app.state.errors import HcpAddressRefused, HcpStateMissing
from app.state.hcp_client import HcpClient
from app.state.hcp_import_schemas import HcpImportOut, HcpImportRequest, HcpSource, ImportedVariable
from app.state.hcp_schemas import HcpStateVersion, HcpVariable, HcpWorkspace
from app.state.hcp_transport import HcpRetry, HcpTransport
from app.workspaces import service as workspaces
from app.workspaces.errors import VariableRefused
from app.workspaces.schemas import MAX_VALUE_LENGTH, VariableIn

Origin = tuple[str, str, int]
_RETRY = HcpRetry(attempts=3, longest_seconds=5.0)
"""Somebody waits for the answer."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class _Fetched:
    """What was read from HCP Terraform."""

    workspace: HcpWorkspace
    version: HcpStateVersion
    state: bytes
    variables: list[HcpVariable]


def import_from_hcp(actor: Actor, workspace: str, wanted: HcpImportRequest, key: str | None) -> dict[str, Any]:
    """Make the current state of a workspace there the first state version here, and set its variables.

    Opens its own transactions and holds none while HCP Terraform is asked. Raises ``HcpAddressRefused``,
    ``HcpStateMissing``, the errors of ``HcpClient`` and of ``importing.bring_in``.
    """
    if wanted.with_variables:
        actor.require(Permission.VARIABLES_WRITE)
    address = allowed_address(wanted.address or get_settings().hcp_url)
    with unit_of_work() as session:
        workspaces.get(session, actor.organization_id, workspace)
    fetched = _fetch(address, wanted)
    source = HcpSource(
        address=address,
        organization=wanted.organization,
        workspace=wanted.workspace,
        workspace_id=fetched.workspace.id,
        state_version_id=fetched.version.id,
        serial=fetched.version.serial,
        is_locked=fetched.workspace.locked,
    )

    def act() -> HcpImportOut:
        made = importing.bring_in(
            session, actor, workspace, fetched.state, {"from": "hcp", **source.model_dump(mode="json")}
        )
        return HcpImportOut(
            state_version=made, source=source, variables=_take_variables(session, actor, workspace, fetched.variables)
        )

    request = {"into": workspace, "address": address, **wanted.model_dump(mode="json", exclude={"token", "address"})}
    with unit_of_work() as session:
        return once(session, actor, key, ("import_state_from_hcp", request), act)


def allowed_address(address: str) -> str:
    """Return the address as scheme, host and port alone. Raises ``HcpAddressRefused`` unless the settings name it."""
    try:
        url = httpx.URL(address if "://" in address else f"https://{address}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if not url.host or url.userinfo or url.path not in {"", "/"} or url.query or url.fragment:
        raise _refused(f"{address!r} is not an address: write it as https://host, without a path")
    _check(url)
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _check(url: httpx.URL) -> None:
    """Raise unless the settings allow requests to ``url``; also for where a redirect or a download address leads."""
    allowed = get_settings().hcp_import_hosts
    if _origin(url) not in {_origin(httpx.URL(host if "://" in host else f"https://{host}")) for host in allowed}:
        raise _refused(
            f"{url.scheme}://{url.netloc.decode('ascii')} is not one of the hosts that this installation imports from. "
            "Whoever runs it can add it to SLUICE_HCP_IMPORT_HOSTS"
        )


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme, 0)


def _refused(message: str) -> HcpAddressRefused:
    return HcpAddressRefused.of_field("address", message)


def _fetch(address: str, wanted: HcpImportRequest) -> _Fetched:
    transport = HcpTransport(
        address,
        wanted.token.get_secret_value(),
        retry=_RETRY,
        guard=_check,
        most_bytes=get_settings().max_state_bytes,
    )
    with HcpClient(transport) as client:
        there = client.workspace(wanted.organization, wanted.workspace)
        version = client.current_state_version(there.id)
        if version is None:
            raise HcpStateMissing(
                f"{wanted.organization}/{wanted.workspace} has no state version in HCP Terraform: there is nothing to "
                "import. Plan it here right away."
            )
        variables = client.variables(there.id) if wanted.with_variables else []
        return _Fetched(there, version, client.download_state(version), variables)


def _take_variables(session: Session, actor: Actor, workspace: str, found: list[HcpVariable]) -> list[ImportedVariable]:
    """Set what can be read and is not set here yet; say of each variable what became of it."""
    known = {(item.kind, item.key) for item in workspaces.variables(session, actor, workspace)} if found else set()
    taken: list[ImportedVariable] = []
    for item in found:
        outcome, reason = "set", None
        if (item.category, item.key) in known:
            outcome, reason = "kept", "is set here already; that value stays"
        elif item.sensitive:
            outcome, reason = "to_set_by_hand", "is sensitive: HCP Terraform gives its value to nobody"
        elif len(item.value or "") > MAX_VALUE_LENGTH:
            outcome, reason = "refused", f"is longer than {MAX_VALUE_LENGTH} characters"
        else:
            body = VariableIn(value=item.value or "", is_hcl=item.hcl, description=(item.description or "")[:500])
            try:
                workspaces.put_variable(session, actor, workspace, item.category, item.key, body)
            except VariableRefused as error:
                outcome, reason = "refused", error.detail
        taken.append(
            ImportedVariable.model_validate(
                {"key": item.key, "kind": item.category, "outcome": outcome, "reason": reason}
            )
        )
    return taken
