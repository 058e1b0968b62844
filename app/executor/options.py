"""How engines are run on this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.core.settings import Settings
from app.executor import egress, files, gateway, probe, sandbox
from app.executor.accounts import Account
from app.executor.cli_config import CliConfiguration, compose, rules_identity
from app.executor.collector import collector_variables, engine_memory_bytes
from app.executor.egress import Rule
from app.executor.errors import EgressUnavailable, ProcessFailed
from app.executor.plugin_cache import PluginCache
from app.executor.retry import RetryPolicy
from app.executor.watchdog import TreeLimits

_MEBIBYTE = 1024 * 1024


def tree_limits(settings: Settings) -> TreeLimits:
    """Return what one command of an engine may use together with all that it starts."""
    return TreeLimits(
        memory_bytes=engine_memory_bytes(settings),
        processes=settings.engine_processes,
        disk_bytes=settings.engine_disk_mb * _MEBIBYTE,
    )


def egress_rules(settings: Settings, tools: sandbox.SandboxTools | None) -> tuple[Rule, ...] | None:
    """Return what engines may reach; None where they share the worker's network.

    Raises ``EgressInvalid`` and ``EgressUnavailable``: an engine that should be kept from the network never runs in it.
    """
    if settings.egress == "shared":
        return None
    rules = egress.parse(settings.egress_hosts) if settings.egress == "proxy" else ()
    reason = ""
    if tools is None:
        reason = "it takes the sandbox, which is off or does not work here (SLUICE_SANDBOX)"
    elif failure := probe.isolation_failure(tools):
        reason = f"bubblewrap can't make a network namespace: {failure}"
    elif any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")):
        reason = "the worker itself is behind a proxy (HTTPS_PROXY), and this one goes out directly"
    if reason:
        raise EgressUnavailable(
            f"SLUICE_EGRESS={settings.egress}, but {reason}. Put that right, or set SLUICE_EGRESS=shared.",
            reason=reason,
        )
    return rules


@dataclass(frozen=True)
class ExecutorOptions:
    """How engines are run on this machine. ``tools`` None runs them without a sandbox.

    ``egress`` is what they may reach, None for the worker's own network.

    ``cli_text`` is the operator's CLI configuration, ``cli_config`` what engines get of it; ``plugin_cache`` is the
    provider cache that runs share, None for none, and ``fills_cache`` says whether it can be written to.
    """

    tools: sandbox.SandboxTools | None
    cli_config: CliConfiguration | None = None
    cli_text: str | None = field(default=None, repr=False)
    plugin_cache: PluginCache | None = None
    fills_cache: bool = False
    egress: tuple[Rule, ...] | None = None
    limits: gateway.Limits = field(default_factory=gateway.Limits)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    inherited: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    collector: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: Settings, *, grace_seconds: float, timeout_seconds: float) -> "ExecutorOptions":
        """Return the options that the settings ask for.

        Raises ``SandboxUnavailable`` when a sandbox is required and does not work, ``EgressUnavailable`` and
        ``EgressInvalid`` when engines can't be kept from the network as asked, and ``ProcessFailed`` when the CLI
        configuration can't be read or the provider cache neither read nor made.
        """
        text = cli_text(settings)
        tools = probe.sandbox_tools(settings.sandbox)
        cache = shared_cache(settings, text) if tools is not None else None
        return cls(
            tools=tools,
            cli_config=compose(text, cache.packages if cache is not None else None),
            cli_text=text,
            plugin_cache=cache,
            fills_cache=cache is not None and cache.open(),
            egress=egress_rules(settings, tools),
            limits=gateway.Limits(
                timeout_seconds=timeout_seconds,
                grace_seconds=grace_seconds,
                output_bytes=settings.engine_output_mb * _MEBIBYTE,
                tree=tree_limits(settings),
            ),
            collector=collector_variables(settings),
        )

    def under(self, account: Account) -> "ExecutorOptions":
        """Return the same options for engines that run under ``account``."""
        if self.tools is None:
            return self
        return replace(self, tools=replace(self.tools, user_id=account.user_id))

    @property
    def owner(self) -> files.Owner:
        """Return who must own the files that an engine works on."""
        return files.Owner(self.tools.owner_id if self.tools is not None else None)


def cli_text(settings: Settings) -> str | None:
    """Return the operator's CLI configuration, None without one. Raises ``ProcessFailed`` when it can't be read."""
    if settings.terraform_cli_config_file is None:
        return None
    try:
        return settings.terraform_cli_config_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ProcessFailed(
            f"SLUICE_TERRAFORM_CLI_CONFIG_FILE names {settings.terraform_cli_config_file}, "
            f"which can't be read: {error}."
        ) from error


def shared_cache(settings: Settings, text: str | None) -> PluginCache | None:
    """Return the provider cache that runs share under the operator's CLI configuration ``text``, made where it wasn't.

    None where the settings name none, and where the operator's rules fetch nothing. Raises ``ProcessFailed``.
    """
    directory, rules = settings.terraform_plugin_cache_dir, rules_identity(text)
    if directory is None or rules is None:
        return None
    cache = PluginCache(directory.absolute(), rules)
    try:
        cache.open()
    except OSError as error:
        raise ProcessFailed(
            f"SLUICE_TERRAFORM_PLUGIN_CACHE_DIR names {directory}, which can't be made: {error.strerror}. Make it, "
            "owned by the worker's user, or name another directory."
        ) from error
    return cache
