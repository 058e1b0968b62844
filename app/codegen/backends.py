"""A workspace's backend as the engine's backend block. Pure.

The block lands in every plan file, so no credential goes in: engines read those from their environment.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.codegen.errors import BackendUnknown, SecretMissing
from app.codegen.renderer import render_template
from app.workspaces.schemas import ResolvedVariable

HCP_TOKEN = "TFE_TOKEN"  # noqa: S105 - the name of a variable, not a secret
STATE_FILE = "terraform.tfstate"
_NESTED = frozenset({"workspaces"})


def _nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _local(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": STATE_FILE}


def _remote(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hostname": settings["hostname"],
        "organization": settings["organization"],
        "workspaces": {"name": settings["workspace"]},
    }


_BACKENDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "local": ("local", _local),
    "managed": ("http", _nothing),
    "s3": ("s3", dict),
    "azurerm": ("azurerm", dict),
    "gcs": ("gcs", dict),
    # `remote` rather than a `cloud` block: a backend like the others, so it is read back and compared alike.
    "hcp": ("remote", _remote),
}
"""Each backend's type in the engine's words, and what its settings are in the engine's block."""


def engine_backend(backend: str) -> str:
    """Return the backend type that the engine must end up with after init. Raises ``BackendUnknown``."""
    return _known(backend)[0]


def engine_settings(backend: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the engine must have as that backend's settings after init. Raises ``BackendUnknown``."""
    return _known(backend)[1](settings)


def render_backend(backend: str, settings: Mapping[str, Any]) -> str:
    """Return the backend block. Raises ``BackendUnknown`` or ``NotRenderable``."""
    kind, convert = _known(backend)
    found = convert(settings)
    return render_template(
        "backend",
        backend=kind,
        settings=sorted((name, value) for name, value in found.items() if name not in _NESTED),
        blocks=[(name, sorted(value.items())) for name, value in sorted(found.items()) if name in _NESTED],
    )


def hcp_environment(settings: Mapping[str, Any], variables: Sequence[ResolvedVariable]) -> dict[str, str]:
    """Return the environment that the `hcp` backend needs: its token by the engine's own name, and runs that stay here.

    Raises ``SecretMissing`` when the workspace has no sensitive environment variable TFE_TOKEN.
    """
    token = next(
        (item.value for item in variables if (item.kind, item.key) == ("env", HCP_TOKEN) and item.sensitive), ""
    )
    if not token:
        message = f"the hcp backend needs the workspace's sensitive environment variable {HCP_TOKEN}: set it"
        raise SecretMissing.of_field("state_backend", message)
    # As the engine derives it from a host: https://opentofu.org/docs/cli/config/config-file, "Environment Variable
    # Credentials".
    host = str(settings["hostname"]).lower().replace("-", "__").replace(".", "_")
    return {f"TF_TOKEN_{host}": token, "TF_FORCE_LOCAL_BACKEND": "1"}


def _known(backend: str) -> tuple[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
    if backend not in _BACKENDS:
        message = f"{backend!r} is not a state backend; choose one of: {', '.join(_BACKENDS)}"
        raise BackendUnknown.of_field("state_backend", message)
    return _BACKENDS[backend]
