"""``HcpClient``: a thin client of the HCP Terraform v2 API, and of Terraform Enterprise, which speaks the same."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any, Literal, Self
from urllib.parse import quote

from app.core.settings import Settings
from app.state.hcp_errors import HcpInvalid, HcpNotConfigured, HcpNotFound, HcpUnexpected
from app.state.hcp_schemas import (
    HcpConfigurationVersion,
    HcpConfigurationVersionIn,
    HcpOrganization,
    HcpRun,
    HcpRunIn,
    HcpStateVersion,
    HcpVariable,
    HcpVariableIn,
    HcpWorkspace,
    HcpWorkspaceIn,
)
from app.state.hcp_transport import HcpTransport
from app.state.parsing import parse

RunAction = Literal["apply", "discard", "cancel", "force-cancel"]


class HcpClient:
    """Organizations, workspaces, runs, state versions, configuration versions and variables.

    Every call raises the errors of ``hcp_errors``. Lists are iterators that fetch a page when it is needed. Close it,
    or use it as a context manager.
    """

    def __init__(self, transport: HcpTransport) -> None:
        self._http = transport

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return a client for the settings' address and token. Raises ``HcpNotConfigured`` without a token."""
        if settings.hcp_token is None:
            raise HcpNotConfigured("No token for HCP Terraform is set: set SLUICE_HCP_TOKEN, and start Sluice again.")
        return cls(HcpTransport(settings.hcp_url, settings.hcp_token.get_secret_value()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Organizations.

    def organizations(self) -> Iterator[HcpOrganization]:
        """Yield the organizations that the token sees."""
        return self._http.pages("organizations", HcpOrganization)

    def organization(self, name: str) -> HcpOrganization:
        """Return one organization."""
        return self._http.get(f"organizations/{_part(name)}", HcpOrganization)

    # Workspaces.

    def workspaces(self, organization: str, *, search: str | None = None) -> Iterator[HcpWorkspace]:
        """Yield an organization's workspaces; ``search`` keeps those whose name holds it."""
        params = {"search[name]": search} if search else {}
        return self._http.pages(f"organizations/{_part(organization)}/workspaces", HcpWorkspace, params)

    def workspace(self, organization: str, name: str) -> HcpWorkspace:
        """Return a workspace by its name."""
        return self._http.get(f"organizations/{_part(organization)}/workspaces/{_part(name)}", HcpWorkspace)

    def workspace_by_id(self, workspace_id: str) -> HcpWorkspace:
        """Return a workspace by its id."""
        return self._http.get(f"workspaces/{_part(workspace_id)}", HcpWorkspace)

    def create_workspace(self, organization: str, wanted: HcpWorkspaceIn) -> HcpWorkspace:
        """Create a workspace."""
        path = f"organizations/{_part(organization)}/workspaces"
        return self._http.send("POST", path, HcpWorkspace, _document("workspaces", wanted.attributes()))

    def change_workspace(self, workspace_id: str, wanted: HcpWorkspaceIn) -> HcpWorkspace:
        """Change what ``wanted`` sets."""
        document = _document("workspaces", wanted.attributes())
        return self._http.send("PATCH", f"workspaces/{_part(workspace_id)}", HcpWorkspace, document)

    def lock_workspace(self, workspace_id: str, reason: str) -> HcpWorkspace:
        """Lock a workspace. Raises ``HcpConflict`` when it is locked."""
        return self._http.send(
            "POST", f"workspaces/{_part(workspace_id)}/actions/lock", HcpWorkspace, {"reason": reason}
        )

    def unlock_workspace(self, workspace_id: str, *, force: bool = False) -> HcpWorkspace:
        """Unlock a workspace; ``force`` takes another's lock away. Raises ``HcpConflict`` when it is not locked."""
        action = "force-unlock" if force else "unlock"
        return self._http.send("POST", f"workspaces/{_part(workspace_id)}/actions/{action}", HcpWorkspace, {})

    # Runs.

    def runs(self, workspace_id: str) -> Iterator[HcpRun]:
        """Yield a workspace's runs, newest first."""
        return self._http.pages(f"workspaces/{_part(workspace_id)}/runs", HcpRun)

    def run(self, run_id: str) -> HcpRun:
        """Return one run."""
        return self._http.get(f"runs/{_part(run_id)}", HcpRun)

    def create_run(self, workspace_id: str, wanted: HcpRunIn, *, configuration_version_id: str | None = None) -> HcpRun:
        """Request a run, of the workspace's newest configuration version unless one is named."""
        relationships = {"workspace": _relation("workspaces", workspace_id)}
        if configuration_version_id is not None:
            relationships["configuration-version"] = _relation("configuration-versions", configuration_version_id)
        return self._http.send("POST", "runs", HcpRun, _document("runs", wanted.attributes(), relationships))

    def act_on_run(self, run_id: str, action: RunAction, *, comment: str = "") -> None:
        """Apply, discard or cancel a run. Raises ``HcpConflict`` when it is not in a state for it."""
        self._http.act("POST", f"runs/{_part(run_id)}/actions/{action}", {"comment": comment} if comment else {})

    # State versions.

    def state_versions(self, organization: str, workspace: str) -> Iterator[HcpStateVersion]:
        """Yield a workspace's state versions, newest first."""
        params = {"filter[organization][name]": organization, "filter[workspace][name]": workspace}
        return self._http.pages("state-versions", HcpStateVersion, params)

    def state_version(self, state_version_id: str) -> HcpStateVersion:
        """Return one state version."""
        return self._http.get(f"state-versions/{_part(state_version_id)}", HcpStateVersion)

    def current_state_version(self, workspace_id: str) -> HcpStateVersion | None:
        """Return a workspace's current state version, or None before the first."""
        try:
            return self._http.get(f"workspaces/{_part(workspace_id)}/current-state-version", HcpStateVersion)
        except HcpNotFound:
            # The same answer as for a workspace that isn't there: ask which it is.
            self.workspace_by_id(workspace_id)
            return None

    def download_state(self, version: HcpStateVersion) -> bytes:
        """Return the state as the engine wrote it. Raises ``HcpUnexpected`` for a version without an address."""
        if version.hosted_state_download_url is None:
            raise HcpUnexpected(f"The state version {version.id} has no address to download it from.")
        return self._http.call("GET", version.hosted_state_download_url).content

    def create_state_version(self, workspace_id: str, data: bytes, *, run_id: str | None = None) -> HcpStateVersion:
        """Store a state as the workspace's current one; the caller holds the workspace's lock.

        Raises ``StateUnreadable``, and ``HcpConflict`` when the workspace is not locked or the serial does not fit.
        """
        parsed = parse(data)
        attributes = {
            "serial": parsed.serial,
            "lineage": parsed.lineage,
            "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "state": base64.b64encode(data).decode(),
        }
        relationships = {"run": _relation("runs", run_id)} if run_id is not None else None
        document = _document("state-versions", attributes, relationships)
        return self._http.send("POST", f"workspaces/{_part(workspace_id)}/state-versions", HcpStateVersion, document)

    # Configuration versions.

    def configuration_versions(self, workspace_id: str) -> Iterator[HcpConfigurationVersion]:
        """Yield a workspace's configuration versions, newest first."""
        return self._http.pages(f"workspaces/{_part(workspace_id)}/configuration-versions", HcpConfigurationVersion)

    def configuration_version(self, configuration_version_id: str) -> HcpConfigurationVersion:
        """Return one configuration version; its status says whether the upload was taken in."""
        path = f"configuration-versions/{_part(configuration_version_id)}"
        return self._http.get(path, HcpConfigurationVersion)

    def create_configuration_version(
        self, workspace_id: str, wanted: HcpConfigurationVersionIn
    ) -> HcpConfigurationVersion:
        """Create a configuration version, to be uploaded to."""
        document = _document("configuration-versions", wanted.attributes())
        path = f"workspaces/{_part(workspace_id)}/configuration-versions"
        return self._http.send("POST", path, HcpConfigurationVersion, document)

    def upload_configuration(self, version: HcpConfigurationVersion, archive: bytes) -> None:
        """Upload a tar.gz to a fresh configuration version. Raises ``HcpUnexpected`` for one without an address."""
        if version.upload_url is None:
            raise HcpUnexpected(f"The configuration version {version.id} has no address to upload to.")
        self._http.call("PUT", version.upload_url, content=archive)

    # Variables.

    def variables(self, workspace_id: str) -> list[HcpVariable]:
        """Return a workspace's variables; they come in one answer."""
        return self._http.all(f"workspaces/{_part(workspace_id)}/vars", HcpVariable)

    def create_variable(self, workspace_id: str, wanted: HcpVariableIn) -> HcpVariable:
        """Create a variable. Raises ``HcpInvalid`` when its key is taken."""
        document = _document("vars", wanted.attributes())
        return self._http.send("POST", f"workspaces/{_part(workspace_id)}/vars", HcpVariable, document)

    def change_variable(self, workspace_id: str, variable_id: str, wanted: HcpVariableIn) -> HcpVariable:
        """Change what ``wanted`` sets."""
        document = _document("vars", wanted.attributes(), identity=variable_id)
        path = f"workspaces/{_part(workspace_id)}/vars/{_part(variable_id)}"
        return self._http.send("PATCH", path, HcpVariable, document)

    def delete_variable(self, workspace_id: str, variable_id: str) -> None:
        """Delete a variable; one that an earlier try has deleted is fine."""
        try:
            self._http.act("DELETE", f"workspaces/{_part(workspace_id)}/vars/{_part(variable_id)}")
        except HcpNotFound:
            self.workspace_by_id(workspace_id)


def _part(value: str) -> str:
    if value in {"", ".", ".."}:
        raise HcpInvalid(f"{value!r} is no name or id of anything in HCP Terraform.")
    return quote(value, safe="")


def _relation(kind: str, identity: str) -> dict[str, Any]:
    return {"data": {"type": kind, "id": identity}}


def _document(
    kind: str,
    attributes: dict[str, Any],
    relationships: dict[str, Any] | None = None,
    *,
    identity: str | None = None,
) -> dict[str, Any]:
    data: dict[str, Any] = {"type": kind, "attributes": attributes}
    if identity is not None:
        data["id"] = identity
    if relationships is not None:
        data["relationships"] = relationships
    return {"data": data}
