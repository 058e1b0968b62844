"""Every call of ``HcpClient``: what it sends, and what HCP Terraform's documentation says it gets."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from app.state.hcp_client import HcpClient
from app.state.hcp_schemas import (
    HcpConfigurationVersionIn,
    HcpRunIn,
    HcpVariableIn,
    HcpWorkspaceIn,
)
from tests.factories.scene import LINEAGE, state_document
from tests.state.hcp_server import Answer, one, resource

WORKSPACE = one("workspaces", "ws-1", name="net", locked=False, terraform_version="1.11.0", tag_names=["prod"])
RUN = one("runs", "run-1", status="planned", has_changes=True, created_at="2026-01-02T03:04:05.678Z")
STATE = one("state-versions", "sv-1", serial=7, hosted_state_download_url="https://archive.example/x")
CONFIGURATION = one("configuration-versions", "cv-1", status="pending", upload_url="https://archive.example/up")
VARIABLE = one("vars", "var-1", key="region", value="eu", category="terraform", hcl=False, sensitive=False)

CALLS: dict[str, tuple[Callable[[HcpClient], Any], Answer, str, str, Any]] = {
    "organization": (
        lambda c: c.organization("acme"),
        one("organizations", "acme", name="acme", email="a@example.org"),
        "GET",
        "organizations/acme",
        None,
    ),
    "workspace": (lambda c: c.workspace("acme", "net"), WORKSPACE, "GET", "organizations/acme/workspaces/net", None),
    "workspace_by_id": (lambda c: c.workspace_by_id("ws-1"), WORKSPACE, "GET", "workspaces/ws-1", None),
    "create_workspace": (
        lambda c: c.create_workspace("acme", HcpWorkspaceIn(name="net", execution_mode="local")),
        WORKSPACE,
        "POST",
        "organizations/acme/workspaces",
        {"data": {"type": "workspaces", "attributes": {"name": "net", "execution-mode": "local"}}},
    ),
    "change_workspace": (
        lambda c: c.change_workspace("ws-1", HcpWorkspaceIn(description=None, auto_apply=True)),
        WORKSPACE,
        "PATCH",
        "workspaces/ws-1",
        {"data": {"type": "workspaces", "attributes": {"description": None, "auto-apply": True}}},
    ),
    "lock_workspace": (
        lambda c: c.lock_workspace("ws-1", "moving"),
        WORKSPACE,
        "POST",
        "workspaces/ws-1/actions/lock",
        {"reason": "moving"},
    ),
    "unlock_workspace": (
        lambda c: c.unlock_workspace("ws-1"),
        WORKSPACE,
        "POST",
        "workspaces/ws-1/actions/unlock",
        {},
    ),
    "force_unlock_workspace": (
        lambda c: c.unlock_workspace("ws-1", force=True),
        WORKSPACE,
        "POST",
        "workspaces/ws-1/actions/force-unlock",
        {},
    ),
    "run": (lambda c: c.run("run-1"), RUN, "GET", "runs/run-1", None),
    "create_run": (
        lambda c: c.create_run("ws-1", HcpRunIn(message="hi", plan_only=True), configuration_version_id="cv-1"),
        RUN,
        "POST",
        "runs",
        {
            "data": {
                "type": "runs",
                "attributes": {"message": "hi", "plan-only": True},
                "relationships": {
                    "workspace": {"data": {"type": "workspaces", "id": "ws-1"}},
                    "configuration-version": {"data": {"type": "configuration-versions", "id": "cv-1"}},
                },
            }
        },
    ),
    "act_on_run": (
        lambda c: c.act_on_run("run-1", "force-cancel", comment="stuck"),
        Answer(202),
        "POST",
        "runs/run-1/actions/force-cancel",
        {"comment": "stuck"},
    ),
    "state_version": (lambda c: c.state_version("sv-1"), STATE, "GET", "state-versions/sv-1", None),
    "current_state_version": (
        lambda c: c.current_state_version("ws-1"),
        STATE,
        "GET",
        "workspaces/ws-1/current-state-version",
        None,
    ),
    "create_state_version": (
        lambda c: c.create_state_version("ws-1", state_document(7), run_id="run-1"),
        STATE,
        "POST",
        "workspaces/ws-1/state-versions",
        {
            "data": {
                "type": "state-versions",
                "attributes": {
                    "serial": 7,
                    "lineage": LINEAGE,
                    "md5": hashlib.md5(state_document(7)).hexdigest(),
                    "state": base64.b64encode(state_document(7)).decode(),
                },
                "relationships": {"run": {"data": {"type": "runs", "id": "run-1"}}},
            }
        },
    ),
    "configuration_version": (
        lambda c: c.configuration_version("cv-1"),
        CONFIGURATION,
        "GET",
        "configuration-versions/cv-1",
        None,
    ),
    "create_configuration_version": (
        lambda c: c.create_configuration_version("ws-1", HcpConfigurationVersionIn(auto_queue_runs=False)),
        CONFIGURATION,
        "POST",
        "workspaces/ws-1/configuration-versions",
        {"data": {"type": "configuration-versions", "attributes": {"auto-queue-runs": False}}},
    ),
    "variables": (
        lambda c: c.variables("ws-1"),
        Answer(document={"data": [resource("vars", "var-1", key="k", value=None, category="env", sensitive=True)]}),
        "GET",
        "workspaces/ws-1/vars",
        None,
    ),
    "create_variable": (
        lambda c: c.create_variable("ws-1", HcpVariableIn(key="region", value="eu", category="terraform")),
        VARIABLE,
        "POST",
        "workspaces/ws-1/vars",
        {"data": {"type": "vars", "attributes": {"key": "region", "value": "eu", "category": "terraform"}}},
    ),
    "change_variable": (
        lambda c: c.change_variable("ws-1", "var-1", HcpVariableIn(value="us")),
        VARIABLE,
        "PATCH",
        "workspaces/ws-1/vars/var-1",
        {"data": {"id": "var-1", "type": "vars", "attributes": {"value": "us"}}},
    ),
    "delete_variable": (
        lambda c: c.delete_variable("ws-1", "var-1"),
        Answer(204),
        "DELETE",
        "workspaces/ws-1/vars/var-1",
        None,
    ),
}
