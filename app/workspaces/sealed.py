"""Where variables keep envelopes."""

from sqlalchemy.orm import Session

from app.core.crypto import Binding
from app.core.resealing import SealedColumn
from app.workspaces.models import TerraformVariableVersion
from app.workspaces.variables import binding


def _value(_: Session, row: TerraformVariableVersion) -> Binding:
    return binding(row)


SEALED = (SealedColumn(TerraformVariableVersion, TerraformVariableVersion.sealed_value, _value),)
