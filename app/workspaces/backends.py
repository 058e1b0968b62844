"""Where a workspace's state lies: each backend's settings, strict, and never with a secret in them.

The settings land in the engine's backend block, so in every saved plan. Credentials are the workspace's sensitive
environment variables, which the engine reads by itself. Names are the engines' own, of those that OpenTofu 1.12 and
Terraform 1.11 both take.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from app.core.errors import said_by_validation
from app.core.settings import StateBackend
from app.specs.schemas import text_problem
from app.workspaces.errors import BackendSettingsInvalid

FIELD = "state_backend_settings"


def _check_text(value: str) -> str:
    problem = text_problem(value)
    if problem is None and any(ord(character) < 32 or ord(character) == 127 for character in value):
        problem = "holds a control character: remove it"
    if problem is not None:
        raise ValueError(problem)
    return value


def _check_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, user = parts.hostname, parts.username
    except ValueError:
        raise ValueError("is not an address: write it like https://s3.example.com") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("is not an address: write it like https://s3.example.com")
    if user is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(
            "holds more than scheme, host, port and path: a name, password or query would be in every plan"
        )
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_check_text)]
Url = Annotated[Text, AfterValidator(_check_url)]
_LABELS = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
Host = Annotated[str, StringConstraints(pattern=rf"^{_LABELS}(?::[0-9]{{1,5}})?$")]
HostName = Annotated[str, StringConstraints(pattern=rf"^{_LABELS}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    secrets: ClassVar[Mapping[str, str]] = {}
    """What the engine's block would take and a plan must not hold: name to the variable that holds it instead."""
    location: ClassVar[tuple[str, ...]] = ()
    """The settings that name one state; two workspaces never share them."""


class HereSettings(_Settings):
    """`managed` and `local`: Sluice keeps the state, so there is nothing to set."""


class S3Endpoints(_Settings):
    """Addresses of an S3-compatible service, or of AWS behind a proxy."""

    s3: Url | None = None
    dynamodb: Url | None = None
    sts: Url | None = None
    iam: Url | None = None


class S3AssumeRole(_Settings):
    """A role that the engine takes on before it reaches the bucket."""

    role_arn: Text
    session_name: Text | None = None
    external_id: Text | None = None


class S3Settings(_Settings):
    """`s3`. Locked by a lock file in the bucket (``use_lockfile``, the default), a DynamoDB table, or both."""

    secrets = {
        "access_key": "AWS_ACCESS_KEY_ID",
        "secret_key": "AWS_SECRET_ACCESS_KEY",
        "token": "AWS_SESSION_TOKEN",
        "sse_customer_key": "AWS_SSE_CUSTOMER_KEY",
    }
    location = ("endpoints", "bucket", "key")

    bucket: Text
    key: Text
    region: Text
    endpoints: S3Endpoints | None = None
    assume_role: S3AssumeRole | None = None
    use_path_style: bool | None = None
    encrypt: bool = True
    kms_key_id: Text | None = None
    acl: Text | None = None
    use_lockfile: bool | None = None
    dynamodb_table: Text | None = None
    skip_credentials_validation: bool | None = None
    skip_metadata_api_check: bool | None = None
    skip_region_validation: bool | None = None
    skip_requesting_account_id: bool | None = None
    skip_s3_checksum: bool | None = None

    @model_validator(mode="after")
    def _has_a_lock(self) -> Self:
        if self.use_lockfile is None:
            object.__setattr__(self, "use_lockfile", self.dynamodb_table is None)
        if not self.use_lockfile and self.dynamodb_table is None:
            raise ValueError("the state would have no lock: set use_lockfile to true, or name a dynamodb_table")
        return self


class AzurermSettings(_Settings):
    """`azurerm`: a blob, locked by its lease."""

    secrets = {
        "access_key": "ARM_ACCESS_KEY",
        "sas_token": "ARM_SAS_TOKEN",
        "client_secret": "ARM_CLIENT_SECRET",
        "client_certificate": "ARM_CLIENT_CERTIFICATE",
        "client_certificate_password": "ARM_CLIENT_CERTIFICATE_PASSWORD",
        "oidc_token": "ARM_OIDC_TOKEN",
        "oidc_request_token": "ARM_OIDC_REQUEST_TOKEN",
    }
    location = ("environment", "storage_account_name", "container_name", "key")

    storage_account_name: Text
    container_name: Text
    key: Text
    resource_group_name: Text | None = None
    subscription_id: Text | None = None
    tenant_id: Text | None = None
    client_id: Text | None = None
    environment: Text | None = None
    endpoint: Url | None = None
    metadata_host: Host | None = None
    snapshot: bool | None = None
    use_azuread_auth: bool | None = None
    use_cli: bool | None = None
    use_msi: bool | None = None
    use_oidc: bool | None = None
    use_aks_workload_identity: bool | None = None


class GcsSettings(_Settings):
    """`gcs`: an object, locked by another beside it."""

    secrets = {
        "credentials": "GOOGLE_CREDENTIALS",
        "access_token": "GOOGLE_OAUTH_ACCESS_TOKEN",
        "encryption_key": "GOOGLE_ENCRYPTION_KEY",
    }
    location = ("storage_custom_endpoint", "bucket", "prefix")

    bucket: Text
    prefix: Text
    kms_encryption_key: Text | None = None
    impersonate_service_account: Text | None = None
    storage_custom_endpoint: Url | None = None


class HcpSettings(_Settings):
    """`hcp`: a workspace of HCP Terraform or Terraform Enterprise that holds the state; runs stay with Sluice."""

    secrets = {"token": "TFE_TOKEN"}
    location = ("hostname", "organization", "workspace")

    organization: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,90}$")]
    workspace: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,90}$")]
    # Without a port: the engine's variable for the token can't name one.
    hostname: HostName = "app.terraform.io"


SETTINGS: dict[StateBackend, type[_Settings]] = {
    "managed": HereSettings,
    "local": HereSettings,
    "s3": S3Settings,
    "azurerm": AzurermSettings,
    "gcs": GcsSettings,
    "hcp": HcpSettings,
}


def check_settings(backend: StateBackend, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of ``backend`` with its defaults, without what is not set.

    Raises ``BackendSettingsInvalid``, naming each setting that is missing, unknown, wrong or a secret.
    """
    model = SETTINGS[backend]
    problems = [
        {"field": f"{FIELD}.{name}", "message": _secret(model.secrets[name])}
        for name in sorted(given.keys() & model.secrets.keys())
    ]
    try:
        found = model.model_validate({name: value for name, value in given.items() if name not in model.secrets})
    except ValidationError as error:
        problems += [_problem(backend, model, dict(item)) for item in error.errors()]
    else:
        if not problems:
            return found.model_dump(exclude_none=True)
    named = "; ".join(f"{item['field']}: {item['message']}" for item in problems)
    raise BackendSettingsInvalid(f"{named}.", errors=problems)


def location(backend: StateBackend, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what names the one state that the settings lead to; None where Sluice keeps it."""
    names = SETTINGS[backend].location
    return {name: settings.get(name) for name in names} if names else None


def _secret(variable: str) -> str:
    return (
        f"is a secret, and would lie in every saved plan; set the workspace's sensitive environment variable "
        f"{variable} instead"
    )


def _problem(backend: StateBackend, model: type[_Settings], item: dict[str, Any]) -> dict[str, str]:
    path = [str(part) for part in item["loc"]]
    field = ".".join([FIELD, *path])
    if item["type"] == "extra_forbidden" and len(path) == 1:
        known = ", ".join(model.model_fields)
        takes = f"it takes {known}" if known else "it takes none"
        return {"field": field, "message": f"is not a setting of the backend {backend}; {takes}"}
    if item["type"] == "missing":
        return {"field": field, "message": f"is missing; the backend {backend} needs it"}
    message = said_by_validation(str(item["msg"]))
    return {"field": field, "message": message[:1].lower() + message[1:]}
