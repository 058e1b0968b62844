"""The environment of an engine's process: an allow-list, the workspace's variables, and our own settings.

Nothing of the worker's environment passes but what `_INHERITED` names: the engine's process is hostile.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.executor.errors import ForbiddenVariable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Locale, time zone, proxies and trust anchors: what a run needs to behave as it does for a person, and no secret.
_INHERITED = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
# LD_*, GLIBC_TUNABLES and their like steer the dynamic loader of the sandbox's own helpers, which start privileged.
_REFUSED_PREFIXES = ("TF_", "LD_", "DYLD_", "SLUICE_", "MALLOC_")
_REFUSED_NAMES = frozenset({"GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "BASH_ENV", "ENV", "SHELLOPTS"})
_ALLOWED_PREFIX = "TF_VAR_"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class EnvironmentOptions:
    """What, besides the workspace's variables, decides an engine's environment. Paths are as the process sees them."""

    home: str
    temporary: str
    path: str = DEFAULT_PATH
    cli_config_file: str | None = None
    collector: Mapping[str, str] = field(default_factory=dict)
    proxy_url: str | None = None


def check_user_variable(name: str, value: str = "") -> None:
    """Raise ``ForbiddenVariable`` when a workspace may not set the environment variable ``name`` to ``value``.

    Of ``TF_*`` only ``TF_VAR_*`` is allowed, so ``TF_CLI_ARGS*``, ``TF_TOKEN_*`` and ``TF_DATA_DIR`` are not.
    """
    if not _NAME.fullmatch(name):
        raise ForbiddenVariable(
            f"{name!r} is not a name of an environment variable: use letters, digits and underscores.", variable=name
        )
    if "\0" in value:
        raise ForbiddenVariable(f"The value of {name} holds a NUL character: remove it.", variable=name)
    if name.startswith(_ALLOWED_PREFIX) and len(name) > len(_ALLOWED_PREFIX):
        return
    upper = name.upper()
    if upper.startswith(_REFUSED_PREFIXES) or upper in _REFUSED_NAMES:
        raise ForbiddenVariable(
            f"{name} is reserved: of TF_* only TF_VAR_* may be set, and LD_*, SLUICE_* and the loader's "
            "variables not at all. Remove it, or use a terraform variable.",
            variable=name,
        )


def engine_environment(
    inherited: Mapping[str, str],
    variables: Mapping[str, str],
    options: EnvironmentOptions,
    backend: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the whole environment of an engine's process.

    ``inherited`` is the worker's environment, of which a short list passes; ``variables`` are the workspace's, which
    win over it and over the tuning of Go's collector; Sluice's own settings and the ``backend``'s address and
    credentials win over all of them. Raises ``ForbiddenVariable`` for a reserved variable.
    """
    for name, value in variables.items():
        check_user_variable(name, value)
    environment = {name: inherited[name] for name in _INHERITED if name in inherited}
    environment.update(options.collector)
    environment.update(PATH=options.path, HOME=options.home, TMPDIR=options.temporary)
    environment.update(variables)
    environment.update(
        TF_IN_AUTOMATION="1",
        TF_INPUT="0",
        CHECKPOINT_DISABLE="1",
    )
    if options.cli_config_file is not None:
        environment["TF_CLI_CONFIG_FILE"] = options.cli_config_file
    if options.proxy_url is not None:
        # It is the only way out, for everybody: a proxy of the worker's or the workspace's can't be reached.
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            environment[name] = environment[name.lower()] = options.proxy_url
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            environment.pop(name, None)
    environment.update(backend or {})
    return environment
