"""REST of configurations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.configurations import service
from app.configurations.errors import ArchiveRefused, ArchiveTooLarge, ConfigurationNotFound, NoConfigurationFiles
from app.configurations.schemas import ConfigurationStored, ConfigurationView
from app.configurations.upload import REQUEST_BODY, archive_body
from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires

router = APIRouter(prefix="/terraform/configurations", tags=["configurations"])


@router.post(
    "",
    operation_id="upload_configuration",
    status_code=201,
    summary="Upload a configuration",
    responses={
        200: {"model": ConfigurationStored, "description": "The same content was there before"},
        **error_responses(ArchiveRefused, ArchiveTooLarge, NoConfigurationFiles),
    },
    openapi_extra=REQUEST_BODY,
)
def upload_configuration(
    actor: Annotated[Actor, requires(Permission.CONFIGURATIONS_UPLOAD)],
    data: Annotated[bytes, Depends(archive_body)],
    session: SessionDep,
    response: Response,
) -> ConfigurationStored:
    """Store a tar.gz of a directory. The same content again answers 200 with the configuration that is there."""
    stored = service.store_archive(session, actor, data)
    if not stored.created:
        response.status_code = 200
    return stored.stored()


@router.get(
    "/{configuration_id}",
    operation_id="get_configuration",
    summary="Show a configuration",
    responses=error_responses(ConfigurationNotFound),
)
def get_configuration(
    configuration_id: str,
    actor: Annotated[Actor, requires(Permission.CONFIGURATIONS_READ)],
    session: SessionDep,
) -> ConfigurationView:
    """Return a configuration's digest, size and origin."""
    return service.get(session, actor.organization_id, configuration_id).view()
