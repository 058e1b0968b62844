"""What surrounds an engine's processes: their environment, their sandbox, and the variables of the configuration."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from app.executor import files, sandbox
from app.executor.cli_config import CliConfiguration
from app.executor.discovery import Tool
from app.executor.egress import Endpoint, Policy
from app.executor.engine import Site, Variable
from app.executor.environment import DEFAULT_PATH, EnvironmentOptions, engine_environment
from app.executor.errors import EngineFailed
from app.executor.options import ExecutorOptions
from app.executor.proxy import Gate

# Last in the order in which the engine loads them, so that a workspace's variables win over the configuration's own.
VARIABLES_JSON = "zzzz_sluice_variables.auto.tfvars.json"
VARIABLES_HCL = "zzzz_sluice_variables.auto.tfvars"
_VARIABLES_INSIDE = "/sluice/variables"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Surroundings:
    """The same for every process of one engine in one directory."""

    def __init__(
        self,
        tool: Tool,
        site: Site,
        options: ExecutorOptions,
        *,
        variables: Sequence[Variable],
        environment: Mapping[str, str],
        backend_environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._tool = tool
        self._site = site
        self._options = options
        self._variables = tuple(variables)
        self._user_environment = dict(environment)
        self._backend_environment = dict(backend_environment)
        self._cli_config = options.cli_config
        self._gate: Gate | None = None
        if options.egress is not None:
            self._gate = Gate(
                Policy(options.egress, Endpoint.of_url(backend_environment.get("TF_HTTP_ADDRESS", ""))), say
            )

    @property
    def attach(self) -> Callable[[int], Callable[[], None]] | None:
        """Return what serves the network namespace that a process of the engine's is to have; None for the worker's."""
        return self._gate.open if self._gate is not None else None

    @property
    def cli_config(self) -> CliConfiguration | None:
        """Return the CLI configuration that the next process gets."""
        return self._cli_config

    def use(self, cli_config: CliConfiguration | None) -> None:
        """Give the next processes another CLI configuration than that of the options."""
        self._cli_config = cli_config
        for name in ("environment", "confinement"):
            self.__dict__.pop(name, None)

    @cached_property
    def environment(self) -> dict[str, str]:
        """Return the whole environment of the engine's processes. Raises ``ForbiddenVariable``."""
        options = self._options
        is_confined = options.tools is not None
        path = None
        if self._cli_config is not None:
            path = sandbox.CLI_CONFIG if is_confined else str(self._site.root / "cli.tfrc")
            if not is_confined:
                files.write(
                    self._site.root, "cli.tfrc", self._cli_config.text.encode(), owner=options.owner, mode=0o600
                )
        return engine_environment(
            options.inherited,
            self._user_environment,
            EnvironmentOptions(
                home=sandbox.HOME if is_confined else str(self._site.home),
                temporary=sandbox.TEMPORARY if is_confined else str(self._site.temporary),
                path=DEFAULT_PATH if is_confined else options.inherited.get("PATH", DEFAULT_PATH),
                cli_config_file=path,
                collector=options.collector,
                proxy_url=self._gate.proxy_url if self._gate is not None else None,
            ),
            self._backend_environment,
        )

    @property
    def writable(self) -> tuple[Path, ...]:
        """Return the directories whose size counts against the limit on the disk."""
        return (self._site.work, self._site.temporary, self._site.home)

    @cached_property
    def confinement(self) -> sandbox.Confinement | None:
        """Return what the engine's processes may see; None without a sandbox."""
        options = self._options
        if options.tools is None:
            return None
        inside = {f"{_VARIABLES_INSIDE}/{name}": content for name, content in self._files_of_variables().items()}
        read_only = [
            Path(value) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if (value := options.inherited.get(name))
        ]
        if self._cli_config is not None:
            inside[sandbox.CLI_CONFIG] = self._cli_config.text.encode()
            read_only += self._cli_config.directories
        return sandbox.Confinement(
            tools=options.tools,
            work=self._site.work,
            temporary=self._site.temporary,
            home=self._site.home,
            programs=(self._tool.path,),
            read_only=tuple(path for path in read_only if path.is_absolute()),
            files=inside,
            has_network=self._gate is None,
        )

    def _files_of_variables(self) -> dict[str, bytes]:
        literal = {found.name: found.value for found in self._variables if not found.is_hcl}
        expressions = [found for found in self._variables if found.is_hcl]
        for found in self._variables:
            if not _IDENTIFIER.fullmatch(found.name):
                raise EngineFailed(f"{found.name!r} is not a name that a terraform variable can have.", command="init")
        contents = {}
        if literal:
            contents[VARIABLES_JSON] = json.dumps(literal, ensure_ascii=False).encode()
        if expressions:
            contents[VARIABLES_HCL] = "".join(f"{found.name} = {found.value}\n" for found in expressions).encode()
        return contents

    def place_variables(self) -> None:
        """Put the variables where the engine loads them: in a sandbox they exist in its memory only."""
        for name, content in self._files_of_variables().items():
            if self._options.tools is None:
                files.write(self._site.module, name, content, owner=self._options.owner, mode=0o600)
            else:
                files.link(self._site.module, name, f"{_VARIABLES_INSIDE}/{name}")
