"""Settings: environment variables with the prefix ``SLUICE_``."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.artifacts_address import Bucket, Directory, parse
from app.core.halt_endpoints import HaltEndpoint
from app.core.halt_endpoints import parse as parse_endpoints
from app.core.outgoing_addresses import Allowed

StateBackend = Literal["managed", "local", "s3", "azurerm", "gcs", "hcp"]


def default_home() -> Path:
    """Return the data directory used when ``SLUICE_HOME`` is not set."""
    return Path.home() / ".local" / "share" / "sluice"


def _of_scheme(value: SecretStr | None, *schemes: str) -> SecretStr | None:
    # The message leaves the address out: it holds a password.
    if value is not None and value.get_secret_value().partition("://")[0] not in schemes:
        raise ValueError(f"should be an address that begins with {' or '.join(f'{name}://' for name in schemes)}")
    return value


class Settings(BaseSettings):
    """Everything that an operator can set. Each field is the variable ``SLUICE_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home, description="Data directory (0700): key, artifacts, logs.")
    url: str = Field("http://127.0.0.1:8080", description="Public address of the API and web UI, used in links.")
    runner_url: str | None = Field(
        None, description="Address of the API as runs reach it (managed state); else that of SLUICE_URL."
    )
    database_url: SecretStr | None = Field(None, description="PostgreSQL address, postgresql://…")
    redis_url: SecretStr | None = Field(None, description="Redis address, redis://… or unix://…")
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections that a process keeps open at most.")
    master_key: SecretStr | None = Field(
        None, description="Key ring, id:base64 of 32 bytes, newest first, comma separated; else a file in the home."
    )
    artifacts_url: str | None = Field(
        None,
        description="Where artifacts lie: an absolute path, s3://bucket/prefix?region=&endpoint=, "
        "gs://bucket/prefix?endpoint= or az://container/prefix?account=&endpoint=; else artifacts/ in the home. "
        "Credentials come from each cloud's own environment variables.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged.")
    engine: Path | None = Field(None, description="Engine binary; else tofu, then terraform, is looked for.")
    engines_dir: Path | None = Field(
        None, description="Further engines, for workspaces that pin a version: tofu-1.12.6, or tofu/1.12.6/tofu."
    )
    engine_checksums: Path | None = Field(
        None, description="File of `sha256sum` lines: no other engine is run. SHA256SUMS in SLUICE_ENGINES_DIR, too."
    )
    opa: Path | None = Field(None, description="opa binary; else it is looked for; else the in-process engine.")
    policy_engine: Literal["auto", "opa", "regorus"] = Field("auto", description="Which engine evaluates Rego.")
    tools_dir: Path | None = Field(None, description="Where `make tools` puts tofu and opa.")
    terraform_cli_config_file: Path | None = Field(
        None, description="CLI configuration with provider_installation mirror rules, given to the engine."
    )
    terraform_plugin_cache_dir: Path | None = Field(
        None, description="Provider cache shared by runs, read-only to them; Sluice fills it and owns it."
    )
    terraform_state_backend: StateBackend = Field("managed", description="State backend of new workspaces.")
    terraform_state_backend_settings: str = Field(
        "",
        description="Settings of that backend as JSON, in whose texts {workspace_id} stands for the workspace's id: "
        '{"bucket": "states", "key": "{workspace_id}.tfstate", "region": "eu-central-1"}.',
    )
    max_state_bytes: int = Field(128 * 1024 * 1024, ge=1024, description="A state sent to the managed backend at most.")
    hcp_token: SecretStr | None = Field(None, description="API token of HCP Terraform or Terraform Enterprise.")
    hcp_url: str = Field("https://app.terraform.io", description="Address of HCP Terraform or Terraform Enterprise.")
    hcp_import_hosts: Annotated[list[str], NoDecode] = Field(
        ["app.terraform.io", "archivist.terraform.io"],
        description="Hosts that a state may be imported from as from HCP Terraform, and those that it hands states out "
        "from, comma separated; https, unless written with http://. Empty: none.",
    )
    modules_dir: Path = Field(Path("modules"), description="Operator-authored modules that specs may name by path.")
    policies_dir: Path = Field(Path("policies"), description="Policy sets that attachments may name by path.")
    frontend_dir: Path = Field(Path("frontend/dist"), description="Built web UI.")
    sandbox: Literal["auto", "required", "off"] = Field("auto", description="Run engines under bubblewrap.")
    egress: Literal["shared", "proxy", "none"] = Field(
        "shared",
        description="Network of engines: the worker's own; or none of theirs, but a proxy to SLUICE_EGRESS_HOSTS; or "
        "to nothing. The managed state is always reached.",
    )
    egress_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="What engines may reach through the proxy, comma separated: names, `*.` and a domain, addresses, "
        "ranges, each with `:port` if it is not 443 or 80.",
    )
    work_dir: Path | None = Field(None, description="Where runs are laid out; else below the temporary directory.")
    worker_concurrency: int = Field(4, ge=1, le=256, description="Runs that one worker executes at once.")
    organization_concurrency: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Runs that one organization executes at once, over all workers, where it has no limit of its own; "
        "0: no limit.",
    )
    reuse_init: bool = Field(
        True, description="Keep what init made for a workspace's configuration, where engines run in the sandbox."
    )
    engine_gogc: int = Field(
        400,
        ge=25,
        le=10_000,
        description="GOGC of engines and providers: higher is faster and takes more memory; 100 is Go's own.",
    )
    engine_memory_mb: int | None = Field(
        None,
        ge=64,
        description="Memory of an engine's command with its providers at most, MiB; else three quarters of the "
        "machine's, or of the worker's control group's.",
    )
    engine_processes: int = Field(
        4096, ge=64, description="Processes and threads of an engine's command with its providers at most."
    )
    engine_disk_mb: int = Field(
        10_240, ge=16, description="What a run may hold in its directories, and its largest file, at most, MiB."
    )
    engine_output_mb: int = Field(
        2048,
        ge=1,
        description="What one command of an engine may write at most, MiB: some three million lines of a provisioner.",
    )
    lease_seconds: int = Field(30, ge=3, le=600, description="A running run's lease; its heartbeat is a third of it.")
    grace_seconds: int = Field(20, ge=1, le=600, description="Between SIGINT and SIGKILL.")
    drain_seconds: int = Field(
        600,
        ge=0,
        le=86_400,
        description="How long runs may go on once their worker was told to end (SIGTERM); then they are stopped, the "
        "state kept. `sluice up` waits 10 s unless it is set.",
    )
    run_timeout_seconds: int = Field(7200, ge=10, description="A phase of a run is ended after this long.")
    policy_timeout_seconds: float = Field(10.0, gt=0, le=300, description="One policy set's evaluation at most.")
    policy_memory_mb: int = Field(512, ge=64, description="Memory of one policy evaluation at most, MiB.")
    override_seconds: int = Field(
        86_400, ge=60, le=2_592_000, description="How long an override of policies stands that names no other time."
    )
    override_max_seconds: int = Field(
        604_800, ge=60, le=2_592_000, description="How long an override of policies may stand at most."
    )
    run_artifacts_days: int = Field(
        90,
        ge=0,
        le=36_500,
        description="Plans and logs of runs that ended, and uploads that nothing needs, are removed after so many "
        "days; their digests stay. 0 keeps them for good.",
    )
    rehearsals_days: int = Field(
        30, ge=0, le=36_500, description="Rehearsals are removed after so many days. 0 keeps them for good."
    )
    git_protocols: Annotated[list[str], NoDecode] = Field(
        ["https", "ssh"],
        description="What git sources may be read over, comma separated: https, ssh; http and file (repositories of "
        "this server) only where they are named here.",
    )
    git_timeout_seconds: float = Field(60.0, gt=0, le=300, description="Reading a git source at most.")
    git_disk_mb: int = Field(256, ge=1, le=65_536, description="What a git source's one commit may take at most, MiB.")
    git_ssh_key: Path | None = Field(None, description="Private key that git+ssh sources are read with.")
    git_known_hosts: Path | None = Field(None, description="Host keys of git+ssh sources, in known_hosts form.")
    policy_source_check_minutes: int = Field(
        0,
        ge=0,
        le=7 * 24 * 60,
        description="How often the sources of attached policy sets are looked at for something newer, which is told "
        "and never taken by itself; 0: never.",
    )
    policy_allowed_builtins: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Rego builtins that policies may call although they reach out, read the machine or answer "
        "differently each time, comma separated, such as `http.send`.",
    )
    max_upload_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="A configuration archive at most.")
    session_hours: int = Field(12, ge=1, le=24 * 30, description="A browser session lasts this long.")
    single_member_may_approve: bool = Field(
        False,
        description="New workspaces of an organization with one person let the requester approve, unless they say "
        "otherwise; `sluice up` sets it.",
    )
    outgoing_allowed: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="What Sluice itself may send to beyond the public internet (notifications), comma separated: "
        "names and `*.` with a domain for their private addresses, addresses, ranges, each with `:port` if it is for "
        "that port only. Loopback and link-local ones by their number alone.",
    )
    halt_endpoints: SecretStr | None = Field(
        None,
        description="Sibling systems that a halt is fanned out to, a JSON list: "
        '[{"name": "bots", "url": "https://bots.internal/bots/halt-all", "token_file": "/run/secrets/bots"}].',
    )
    trusted_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Further origins that may open the WebSocket, comma separated."
    )

    @field_validator(
        "trusted_origins",
        "hcp_import_hosts",
        "egress_hosts",
        "outgoing_allowed",
        "git_protocols",
        "policy_allowed_builtins",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("outgoing_allowed")
    @classmethod
    def _is_permitted(cls, value: list[str]) -> list[str]:
        Allowed.parse(value)
        return value

    @field_validator("git_protocols")
    @classmethod
    def _are_protocols(cls, value: list[str]) -> list[str]:
        if unknown := set(value) - {"https", "ssh", "http", "file"}:
            raise ValueError(f"knows https, ssh, http and file, and not {', '.join(sorted(unknown))}")
        return value

    @field_validator("url", "runner_url", "hcp_url")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value is not None else None

    @field_validator("artifacts_url")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        if value:
            parse(value)
        return value

    @field_validator("halt_endpoints")
    @classmethod
    def _are_endpoints(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_endpoints(value.get_secret_value())
        return value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        return _of_scheme(value, "postgresql", "postgres")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        return _of_scheme(value, "redis", "rediss", "unix")

    @property
    def siblings(self) -> tuple[HaltEndpoint, ...]:
        """The sibling systems of ``halt_endpoints``."""
        return parse_endpoints(self.halt_endpoints.get_secret_value()) if self.halt_endpoints is not None else ()

    @property
    def artifacts_place(self) -> Directory | Bucket:
        """Where the artifact store keeps its envelopes."""
        return parse(self.artifacts_url) if self.artifacts_url else Directory(self.home / "artifacts")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return this process's settings, read once from its environment."""
    return Settings()
