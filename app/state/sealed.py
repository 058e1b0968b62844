"""Where state keeps envelopes."""

from typing import Any

from sqlalchemy.orm import Session

from app.core.crypto import Binding
from app.core.resealing import SealedColumn
from app.state.models import (
    TerraformQuarantinedState,
    TerraformStateChunk,
    TerraformStateKey,
    TerraformStateVersion,
)
from app.state.vault import Vault


def _manifest(_: Session, row: Any) -> Binding:
    return Vault(row.organization_id, row.workspace_id).manifest_binding(row.id, row.digest)


def _chunk(_: Session, row: TerraformStateChunk) -> Binding:
    return Vault(row.organization_id, row.workspace_id).chunk_binding(row.id)


def _key(_: Session, row: TerraformStateKey) -> Binding:
    return Vault(row.organization_id, row.workspace_id).key_binding()


SEALED = (
    SealedColumn(TerraformStateKey, TerraformStateKey.sealed, _key),
    SealedColumn(TerraformStateVersion, TerraformStateVersion.manifest, _manifest),
    SealedColumn(TerraformQuarantinedState, TerraformQuarantinedState.manifest, _manifest),
    SealedColumn(TerraformStateChunk, TerraformStateChunk.sealed, _chunk),
)
