"""Each backend's block, judged by the engines' own `init`: it refuses an unknown argument before it calls anything."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.codegen.backends import engine_backend, engine_settings, hcp_environment, render_backend
from app.codegen.errors import BackendUnknown, SecretMissing
from app.executor.discovery import Tool
from app.workspaces.backends import SETTINGS, check_settings
from app.workspaces.schemas import ResolvedVariable
from tests.support.guards import spawning

NOWHERE = "http://127.0.0.1:9"
EVIL = 'a"}\n  b = "${file("/etc/passwd")} %{ if true }'
EVERYTHING: dict[str, dict[str, Any]] = {
    "local": {},
    "managed": {},
    "s3": {
        "bucket": "b",
        "key": "k",
        "region": "eu-west-1",
        "endpoints": {"s3": NOWHERE, "dynamodb": NOWHERE, "sts": NOWHERE, "iam": NOWHERE},
        "assume_role": {"role_arn": "arn:aws:iam::123456789012:role/r", "session_name": "s", "external_id": "e"},
        "use_path_style": True,
        "encrypt": True,
        "kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000",
        "acl": "private",
        "use_lockfile": True,
        "dynamodb_table": "locks",
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "skip_requesting_account_id": True,
        "skip_s3_checksum": True,
    },
    "azurerm": {
        "storage_account_name": "account",
        "container_name": "c",
        "key": "k",
        "resource_group_name": "g",
        "subscription_id": "00000000-0000-0000-0000-000000000000",
        "tenant_id": "00000000-0000-0000-0000-000000000000",
        "client_id": "00000000-0000-0000-0000-000000000000",
        "environment": "public",
        "endpoint": NOWHERE,
        "metadata_host": "127.0.0.1:9",
        "snapshot": True,
        "use_azuread_auth": True,
        "use_cli": False,
        "use_msi": False,
        "use_oidc": False,
        "use_aks_workload_identity": False,
    },
    "gcs": {
        "bucket": "b",
        "prefix": "p",
        "kms_encryption_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "impersonate_service_account": "who@project.iam.gserviceaccount.com",
        "storage_custom_endpoint": NOWHERE,
    },
    "hcp": {"organization": "acme", "workspace": "prod", "hostname": "localhost"},
}


def init(tool: Tool, directory: Path, block: str) -> str:
    """Run `init` on a backend block and return what it said; it may not be able to reach anything."""
    (directory / "main.tf").write_text(block)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
        "CHECKPOINT_DISABLE": "1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_MAX_ATTEMPTS": "1",
        "GOOGLE_OAUTH_ACCESS_TOKEN": "test",
    }
    with spawning("an engine judges what was rendered"):
        process = subprocess.Popen(
            [tool.path, "init", "-input=false", "-no-color"],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    try:
        said, _ = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        # It has taken the block, and tries to reach what is not there.
        process.kill()
        said, _ = process.communicate()
    return said


def test_everything_names_each_setting() -> None:
    for backend, model in SETTINGS.items():
        assert EVERYTHING[backend].keys() == model.model_fields.keys()


@pytest.mark.engine
@pytest.mark.processes
@pytest.mark.parametrize("backend", SETTINGS)
def test_render_backend_every_setting_is_known_to_the_engine(engine_tool: Tool, tmp_path: Path, backend: Any) -> None:
    block = render_backend(backend, check_settings(backend, EVERYTHING[backend]))
    said = init(engine_tool, tmp_path, block)
    assert "Unsupported argument" not in said, said
    assert "Unsupported block" not in said, said
    assert "not expected here" not in said, said
    assert "Invalid backend configuration" not in said, said

    lines = block.splitlines()
    at = next(number for number, line in enumerate(lines) if "backend" in line and line.endswith("{"))
    lines.insert(at + 1, '    colour = "red"')
    # Elsewhere: an engine that has initialized a backend looks no closer as long as what it knows of it is the same.
    (tmp_path / "wrong").mkdir()
    wrong = init(engine_tool, tmp_path / "wrong", "\n".join(lines))
    assert "colour" in wrong
    assert "Unsupported argument" in wrong


@pytest.mark.engine
@pytest.mark.processes
def test_render_backend_hostile_text_stays_text(engine_tool: Tool, tmp_path: Path) -> None:
    block = render_backend("local", {})
    hostile = block.replace('"terraform.tfstate"', "PATH")
    gcs = render_backend("gcs", {"bucket": EVIL, "prefix": "${path.module}"})
    text = gcs[gcs.index("bucket = ") + len("bucket = ") :].splitlines()[0]
    said = init(engine_tool, tmp_path, hostile.replace("PATH", text))
    assert "successfully initialized" in said, said
    found = (tmp_path / ".terraform" / "terraform.tfstate").read_text()
    assert json.loads(found)["backend"]["config"]["path"] == EVIL


def test_engine_settings_are_what_is_rendered() -> None:
    assert (engine_backend("hcp"), engine_settings("hcp", EVERYTHING["hcp"])) == (
        "remote",
        {"hostname": "localhost", "organization": "acme", "workspaces": {"name": "prod"}},
    )
    assert (engine_backend("managed"), engine_settings("managed", {})) == ("http", {})
    assert engine_settings("s3", EVERYTHING["s3"]) == EVERYTHING["s3"]
    with pytest.raises(BackendUnknown, match="floppy"):
        engine_backend("floppy")


def test_hcp_environment_has_the_token_by_the_engines_name_and_keeps_runs_here() -> None:
    token = ResolvedVariable(version_id="v", key="TFE_TOKEN", kind="env", value="t", sensitive=True, hcl=False)
    settings = {"hostname": "Terraform.my-company.example"}
    assert hcp_environment(settings, [token]) == {
        "TF_TOKEN_terraform_my__company_example": "t",
        "TF_FORCE_LOCAL_BACKEND": "1",
    }
    for missing in (
        [],
        [token.model_copy(update={"sensitive": False})],
        [token.model_copy(update={"kind": "terraform"})],
    ):
        with pytest.raises(SecretMissing, match="TFE_TOKEN"):
            hcp_environment(settings, missing)
