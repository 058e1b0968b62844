"""What an engine says of its state backend: in ``.terraform/terraform.tfstate`` after `init`, and in a saved plan."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from app.executor import documents
from app.executor.errors import BackendRefused

_PLANNED_STATE = "tfstate"
_STATE_LIMIT = 512 * 1024 * 1024


def check(content: bytes | None, kind: str, settings: Mapping[str, Any]) -> None:
    """Raise ``BackendRefused`` unless what `init` wrote names the backend ``kind`` with exactly these settings.

    ``content`` None means that it wrote nothing: the local backend with its defaults.
    """
    try:
        backend: dict[str, Any] = (documents.load(content).get("backend") if content is not None else None) or {}
        configured = _plain(backend.get("config") or {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise BackendRefused(
            f"What init wrote of the backend can't be read ({error}), so it is not known where the state would go.",
            expected=kind,
            found="unreadable",
        ) from error
    found = str(backend.get("type", "local"))
    if found != kind:
        raise BackendRefused(
            f"After init the backend is `{found}`, but this workspace's is `{kind}`. Remove the backend or cloud "
            "block, also from override files: Sluice lays out its own.",
            expected=kind,
            found=found,
        )
    wanted = _plain(settings)
    if kind == "local":
        # Its default path is the one that we name.
        wanted.setdefault("path", "terraform.tfstate")
        configured.setdefault("path", "terraform.tfstate")
    different = sorted(name for name in wanted.keys() | configured.keys() if wanted.get(name) != configured.get(name))
    if different:
        raise BackendRefused(
            f"After init the {kind} backend has `{different[0]}` set otherwise than the workspace says, so the state "
            "may lie elsewhere. Remove the backend block of the configuration, also from override files, or change the "
            "workspace's settings.",
            expected=kind,
            found=found,
            settings=different,
        )


def planned_position(plan_file: bytes) -> tuple[str | None, int] | None:
    """Return lineage and serial of the state that a saved plan was made against; (None, 0) when there was none.

    None when the plan file can't be read, as when the configuration encrypts it. A plan file is a zip archive with the
    prior state in ``tfstate``, in OpenTofu and Terraform alike.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(plan_file)) as archive:
            if archive.getinfo(_PLANNED_STATE).file_size > _STATE_LIMIT:
                return None
            document = documents.load(archive.read(_PLANNED_STATE))
        return document.get("lineage") or None, int(document.get("serial") or 0)
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, TypeError):
        return None


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are set: engines write null, or nothing within, for all others."""
    found = {name: _plain(item) if isinstance(item, Mapping) else item for name, item in value.items()}
    return {name: item for name, item in found.items() if item not in (None, "", {}, [])}
