"""What the managed backend's tests share: a workspace, a client that speaks as engines do, and engines by hand."""

import base64
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from app.core.db import unit_of_work
from app.executor.discovery import Tool
from app.identity import service as identity
from app.identity.schemas import TokenIn
from app.state import credentials
from app.state.models import TerraformQuarantinedState, TerraformStateVersion
from tests.factories.scene import Scene
from tests.support.guards import spawning

CONFIGURATION = """
terraform {
  backend "http" {}
}

variable "what" {
  default = "one"
}

resource "terraform_data" "a" {
  input = var.what
}

output "what" {
  value = terraform_data.a.output
}
"""


def token_of(actor: Any) -> str:
    """Return a fresh API token of a person or service account."""
    with unit_of_work() as session:
        return identity.issue_token(session, actor, TokenIn(name="backend")).token


def issue(scene: Scene, run_id: str, phase: Any) -> str:
    """Return a run's credential, as a claim issues it."""
    with unit_of_work() as session:
        environment = credentials.issue_run_credential(
            session,
            organization_id=scene.organization_id,
            workspace_id=scene.workspace.id,
            run_id=run_id,
            phase=phase,
            holder=scene.planner.describe(),
        )
    return environment["TF_HTTP_PASSWORD"]


def quarantined(scene: Scene) -> list[TerraformQuarantinedState]:
    with unit_of_work() as session:
        query = select(TerraformQuarantinedState).filter_by(workspace_id=scene.workspace.id)
        return list(session.scalars(query.order_by(TerraformQuarantinedState.created_at)))


def versions(scene: Scene) -> list[TerraformStateVersion]:
    with unit_of_work() as session:
        query = select(TerraformStateVersion).filter_by(workspace_id=scene.workspace.id)
        return list(session.scalars(query.order_by(TerraformStateVersion.number)))


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def lock_document(lock_id: str, *, operation: str = "OperationTypeApply") -> bytes:
    return json.dumps(
        {"ID": lock_id, "Operation": operation, "Info": "", "Who": "ada@laptop", "Version": "1.12.6", "Path": ""}
    ).encode()


@dataclass
class Backend:
    """One credential's view of one workspace's state, over any HTTP client."""

    client: httpx.Client
    address: str
    password: str

    def send(self, method: str, body: bytes = b"", **options: Any) -> httpx.Response:
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        return self.client.request(
            method, self.address, content=body, headers=headers, auth=("engine", self.password), **options
        )

    def get(self) -> httpx.Response:
        return self.send("GET")

    def post(self, body: bytes, lock_id: str | None = None, **options: Any) -> httpx.Response:
        params = {"ID": lock_id} if lock_id is not None else {}
        headers = {"Content-MD5": md5(body), **options.pop("headers", {})}
        return self.send("POST", body, params=params, headers=headers, **options)

    def lock(self, lock_id: str) -> httpx.Response:
        return self.send("LOCK", lock_document(lock_id))

    def unlock(self, lock_id: str | None) -> httpx.Response:
        return self.send("UNLOCK", lock_document(lock_id) if lock_id is not None else b"")


@dataclass
class ByHand:
    """A person with an engine on their own machine, a directory, and a token."""

    tool: Tool
    directory: Path
    address: str
    token: str

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "TF_HTTP_ADDRESS": self.address,
            "TF_HTTP_LOCK_ADDRESS": self.address,
            "TF_HTTP_UNLOCK_ADDRESS": self.address,
            "TF_HTTP_USERNAME": "anything",
            "TF_HTTP_PASSWORD": self.token,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """Run the engine; return what it said, once its exit code is the expected one."""
        with spawning("a person's own engine"):
            done = subprocess.run(
                [self.tool.path, *arguments],
                cwd=self.directory,
                env=self.environment(),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        said = done.stdout + done.stderr
        assert code is None or done.returncode == code, said
        return said

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the engine and return it."""
        with spawning("a person's own engine"):
            return subprocess.Popen(
                [self.tool.path, *arguments],
                cwd=self.directory,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
