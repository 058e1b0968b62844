"""How engines are run on this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.settings import Settings
from app.executor import files, gateway, probe, sandbox
from app.executor.cli_config import CliConfiguration, compose
from app.executor.collector import collector_variables
from app.executor.errors import ProcessFailed
from app.executor.retry import RetryPolicy


@dataclass(frozen=True)
class ExecutorOptions:
    """How engines are run on this machine. ``tools`` None runs them without a sandbox."""

    tools: sandbox.SandboxTools | None
    cli_config: CliConfiguration | None = None
    limits: gateway.Limits = field(default_factory=gateway.Limits)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    inherited: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    collector: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: Settings, *, grace_seconds: float, timeout_seconds: float) -> "ExecutorOptions":
        """Return the options that the settings ask for.

        Raises ``SandboxUnavailable`` when a sandbox is required and does not work, and ``ProcessFailed`` when the CLI
        configuration can't be read.
        """
        text = None
        if settings.terraform_cli_config_file is not None:
            try:
                text = settings.terraform_cli_config_file.read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise ProcessFailed(
                    f"SLUICE_TERRAFORM_CLI_CONFIG_FILE names {settings.terraform_cli_config_file}, "
                    f"which can't be read: {error}."
                ) from error
        return cls(
            tools=probe.sandbox_tools(settings.sandbox),
            cli_config=compose(text, settings.terraform_plugin_cache_dir),
            limits=gateway.Limits(timeout_seconds=timeout_seconds, grace_seconds=grace_seconds),
            collector=collector_variables(settings),
        )

    @property
    def owner(self) -> files.Owner:
        """Return who must own the files that an engine works on."""
        return files.Owner(self.tools.owner_id if self.tools is not None else None)
