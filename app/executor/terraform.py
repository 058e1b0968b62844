"""``TerraformExecutor``: OpenTofu and Terraform as an `Engine`."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from app.core.errors import IntegrityError
from app.executor import backend, documents, endings, files, gateway, prepared, sandbox, transcript, trust
from app.executor.cancel import CancelSource, StopOrder
from app.executor.commands import (
    PLAN_FILE,
    PUSHED_FILE,
    ApplyCommand,
    Command,
    PlanCommand,
    ShowCommand,
)
from app.executor.discovery import Tool
from app.executor.engine import Inputs, KeptState, Notice, Output, PlanMode, PlanProduct, Report, Site, Variable
from app.executor.errors import (
    EngineFailed,
    EngineStopped,
    ProcessFailed,
)
from app.executor.events import Diagnostic, ResourceStep, parse
from app.executor.initializing import LOCK_FILE, Initializer
from app.executor.launch import Ended, Limits
from app.executor.lines import Line, last_lines
from app.executor.options import ExecutorOptions
from app.executor.shared_providers import Hear, Seat, SharedProviders
from app.executor.state_commands import StateCommands
from app.executor.surroundings import VARIABLES_HCL, VARIABLES_JSON, Surroundings

STATE_FILE = "terraform.tfstate"
ERRORED_STATE_FILE = "errored.tfstate"
# What a configuration must not bring along: it would choose another workspace, state, plan or provider.
RESERVED_FILES = (
    ".terraform",
    STATE_FILE,
    f"{STATE_FILE}.backup",
    f".{STATE_FILE}.lock.info",
    "terraform.tfstate.d",
    ERRORED_STATE_FILE,
    PLAN_FILE,
    PUSHED_FILE,
    VARIABLES_JSON,
    VARIABLES_HCL,
)
_FILE_LIMIT = 512 * 1024 * 1024
_SAID_CHARACTERS = 2000
_ASKS_FOR_INIT = re.compile(r"\b(tofu|terraform) init\b")
_JSON_INIT_SINCE = {"terraform": Version("1.9"), "tofu": Version("1.9")}


def _speaks_json_at_init(tool: Tool) -> bool:
    try:
        return Version(tool.version) >= _JSON_INIT_SINCE[tool.kind]
    except (InvalidVersion, KeyError):
        return False


def kept_state(module: Path) -> KeptState:
    """Return the states that lie in a root module's directory.

    What a killed engine had only begun to write is no state; its file is named as unreadable. One that is more than
    is read here (`documents.load`) counts as a state: the control plane keeps whatever it can't read.
    """
    found: dict[str, bytes] = {}
    unreadable = []
    for name in (STATE_FILE, ERRORED_STATE_FILE):
        content = files.read(module, name, limit_bytes=_FILE_LIMIT)
        if content is None:
            continue
        try:
            is_state = isinstance(documents.load(content).get("serial"), int)
        except documents.TooMuch:
            is_state = True
        except (ValueError, AttributeError):
            is_state = False
        if is_state:
            found[name] = content
        else:
            unreadable.append(name)
    return KeptState(found.get(STATE_FILE), found.get(ERRORED_STATE_FILE), tuple(unreadable))


class TerraformExecutor:
    """Runs one engine in one directory, in the sandbox where there is one. See `Engine` for its calls.

    ``expected_backend`` is the backend type that `init` must end up with, ``backend_settings`` what it must be set to;
    ``backend_environment`` is its address and credentials, which the engine gets by environment alone. ``shelf`` keeps
    what `init` makes; None keeps nothing.
    """

    def __init__(
        self,
        *,
        tool: Tool,
        site: Site,
        options: ExecutorOptions,
        report: Report,
        expected_backend: str = "local",
        backend_settings: Mapping[str, Any] | None = None,
        variables: Sequence[Variable] = (),
        environment: Mapping[str, str] | None = None,
        backend_environment: Mapping[str, str] | None = None,
        shelf: prepared.Shelf | None = None,
    ) -> None:
        self._tool = tool
        self._site = site
        self._options = options
        self._report = report
        self._expected_backend = expected_backend
        self._backend_settings = dict(backend_settings or {})
        self._surroundings = Surroundings(
            tool,
            site,
            options,
            variables=variables,
            environment=environment or {},
            backend_environment=backend_environment or {},
            say=self._say_of_network,
        )
        self._is_prepared_before = False
        self._cancel = CancelSource()
        self._ends: list[Ended] = []
        self._started = 0
        self._diagnostics: list[Diagnostic] = []
        self._has_begun = False
        is_json = _speaks_json_at_init(tool)
        shared = None
        if options.plugin_cache is not None:
            shared = SharedProviders(
                options.plugin_cache,
                tool=tool,
                is_json=is_json,
                options=options,
                run=self.run,
                cancel=self._cancel,
                report=report,
            )
        self._state = StateCommands(self, site=site, options=options, cancel=self._cancel)
        self._init = Initializer(
            self,
            engine=tool.kind,
            is_json=is_json,
            site=site,
            options=options,
            surroundings=self._surroundings,
            shelf=shelf,
            shared=shared,
            cancel=self._cancel,
            report=report,
        )

    @property
    def tool(self) -> Tool:
        """Return which engine it is."""
        return self._tool

    @property
    def working_directory(self) -> str:
        """Return the absolute path that the engine sees as its own."""
        if self._options.tools is None:
            return str(self._site.module)
        return str(Path(sandbox.WORK, self._site.module_path))

    @property
    def ends(self) -> tuple[Ended, ...]:
        """Return how each process so far ended, in order."""
        return tuple(self._ends)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Return what the last command complained of."""
        return self._diagnostics

    @property
    def is_proven_dead(self) -> bool:
        """Return whether every process that was started is known to have ended, with all that it started."""
        return self._started == len(self._ends) and all(ended.proof is not None for ended in self._ends)

    def interrupt(self, order: StopOrder) -> None:
        """Stop the running process, and every later one before it starts."""
        self._cancel.request(order)

    def place(self, inputs: Inputs) -> None:
        """Put state, lock file and saved plan into the root module's directory."""
        for name, content in (
            (STATE_FILE, inputs.state),
            (LOCK_FILE, inputs.lock_file),
            (PLAN_FILE, inputs.artifact),
        ):
            if content is not None:
                files.write(self._site.module, name, content, owner=self._options.owner, mode=0o600)

    def prepare(self, *, is_apply: bool) -> None:
        """Run `init`, unless what an earlier one made is there, and refuse a backend that is not the expected one."""
        self._surroundings.place_variables()
        lock_file = self._init.lock_file()
        self._is_prepared_before = self._init.lay_out_kept(lock_file)
        if not self._is_prepared_before:
            self._init.run(lock_file, is_apply=is_apply)
        self._check_backend()

    def _initialize_again(self, ended: Ended, *, is_apply: bool) -> bool:
        """Run `init` after all when an engine that was prepared by an earlier one asks for it. Returns whether it did.

        Engines ask before they touch anything, so the command may be run again.
        """
        if ended.exit_code == 0 or not self._is_prepared_before or self._has_begun:
            return False
        if not any(_ASKS_FOR_INIT.search(f"{found.summary} {found.detail}") for found in self._diagnostics):
            return False
        self._is_prepared_before = False
        self._report(Notice("init", "What an earlier init made does not fit any more; init runs again."))
        prepared.remove(self._site.module)
        self._init.run(self._init.lock_file(), is_apply=is_apply)
        self._check_backend()
        return True

    def plan(self, mode: PlanMode, *, is_locked: bool, on_artifact: Callable[[bytes], None]) -> PlanProduct:
        """Run `plan` and `show -json`, and collect what an apply will need.

        What judges the plan sees what `show` says, so nothing that ran in the plan may have a word in it: a plan that
        changed what `show` would start its providers by is refused. Raises ``EngineFailed``, ``EngineStopped``,
        ``PlanSurroundingsChanged`` and the gateway's errors.
        """
        command = PlanCommand(mode=mode, is_locked=is_locked)
        before = files.snapshot(self._site.work, self._is_ours)
        trusted = trust.noted(self._site)
        ended = self.run(command)
        if ended.exit_code != 2 and self._initialize_again(ended, is_apply=False):
            before = files.snapshot(self._site.work, self._is_ours)
            trusted = trust.noted(self._site)
            ended = self.run(command)
        if ended.exit_code not in {0, 2}:
            raise self.failure(ended)
        artifact = files.read(self._site.module, PLAN_FILE, limit_bytes=_FILE_LIMIT)
        if artifact is None:
            raise EngineFailed("The engine said that it had planned, but left no plan file.", command="plan")
        on_artifact(artifact)
        after = files.snapshot(self._site.work, self._is_ours)
        written = [name for name, facts in after.items() if before.get(name) != facts]
        trust.restore(self._site, trusted, owner=self._options.owner)
        shown = self.run(ShowCommand(), capture_stdout=True)
        if shown.exit_code != 0:
            raise self.failure(shown)
        return PlanProduct(
            artifact=artifact,
            document=shown.stdout.strip(),
            has_changes=ended.exit_code == 2,
            lock_file=files.read(self._site.module, LOCK_FILE, limit_bytes=_FILE_LIMIT),
            side_files=files.pack(self._site.work, written, limit_bytes=_FILE_LIMIT) if written else None,
            state_position=backend.planned_position(artifact),
        )

    def apply(self, *, artifact_digest: str, side_files: bytes | None) -> None:
        """Run `apply` on the saved plan, once its bytes have been found to be the approved ones.

        Raises ``IntegrityError`` when they are not, and the engine's failure.
        """
        if side_files is not None:
            # After init, which makes the modules' directories anew.
            files.unpack(self._site.work, side_files, owner=self._options.owner)
        plan_file = files.read(self._site.module, PLAN_FILE, limit_bytes=_FILE_LIMIT)
        if plan_file is None or hashlib.sha256(plan_file).hexdigest() != artifact_digest:
            raise IntegrityError("The plan file in the working directory is not the one that was approved.")
        command = ApplyCommand(PLAN_FILE, artifact_digest)
        ended = self.run(command)
        if self._initialize_again(ended, is_apply=True):
            ended = self.run(command)
        if ended.exit_code != 0:
            raise self.failure(ended)

    def pull_state(self) -> bytes | None:
        """Return what ``StateCommands.pull`` does; after an order to stop it has the grace period to end."""
        return self._state.pull()

    def push_state(self, data: bytes, *, over: bytes | None) -> None:
        """Store a state in the backend as ``StateCommands.push`` does."""
        self._state.push(data, over=over)

    def kept_state(self) -> KeptState:
        """Return the local backend's state, and what the engine could not write to it."""
        kept = kept_state(self._site.module)
        for name in kept.unreadable:
            self._report(Notice("state", f"{name} holds no complete state; the one before it stands."))
        return kept

    def _is_ours(self, name: str) -> bool:
        """Return whether a path below the work directory is the engine's or ours, not the configuration's."""
        own = {LOCK_FILE, *RESERVED_FILES} - {".terraform"}
        own |= {
            f".terraform/{name}" for name in ("providers", "terraform.tfstate", "environment", "modules/modules.json")
        }
        prefix = f"{self._site.module_path}/" if self._site.module_path else ""
        return name.startswith(prefix) and name.removeprefix(prefix) in own

    def run(
        self,
        command: Command,
        *,
        capture_stdout: bool = False,
        limits: Limits | None = None,
        obeys: bool = True,
        seat: Seat | None = None,
        hear: Hear | None = None,
    ) -> Ended:
        """Run one command to its end. ``obeys`` False goes on after an order to stop, within its ``limits``.

        ``seat`` is where it runs when not in the run's directory; ``hear`` gets its lines in place of the log.
        """
        limits = limits or self._options.limits
        if obeys and self._cancel.requested() is not None:
            raise self.stopped(command.name)
        self._diagnostics, self._has_begun = [], False
        seat = seat or Seat(self._site.module, self._surroundings)
        around = seat.surroundings
        launch = gateway.Launch(
            self._tool.path,
            command,
            around.environment,
            seat.directory,
            around.confinement,
            writable=around.writable,
            attach=around.attach,
            # What an apply has said must be known also when everything that listens to it is killed.
            transcript=transcript.path_in(self._site.root) if isinstance(command, ApplyCommand) else None,
        )
        self._started += 1
        try:
            ended = gateway.run(
                launch,
                limits=limits,
                cancel=self._cancel if obeys else None,
                on_line=lambda line: self._take(command.name, line, hear or self._report),
                capture_stdout=capture_stdout,
            )
        except ProcessFailed:
            # It never started, or its sandbox ended before it did.
            self._started -= 1
            raise
        self._ends.append(ended)
        # An engine that had exited 0 before the order arrived has done its work: that wins. So does the limit that one
        # went over before.
        if ended.order is not None and ended.exceeded is None and ended.exit_code != 0:
            raise self.stopped(command.name, ended)
        endings.check(ended, limits, self._said())
        return ended

    def _take(self, command: str, line: Line, hear: Hear) -> None:
        event = parse(line.text)
        if isinstance(event, Diagnostic):
            self._diagnostics.append(event)
        elif isinstance(event, ResourceStep):
            self._has_begun = True
        hear(Output(command, line.stream, event, line.is_partial))

    def _check_backend(self) -> None:
        """Read back what `init` configured: an override file of the configuration beats the one that we laid out."""
        content = files.read(self._site.module, f".terraform/{STATE_FILE}", limit_bytes=_FILE_LIMIT)
        backend.check(content, self._expected_backend, self._backend_settings)

    def stopped(self, command: str, ended: Ended | None = None) -> EngineStopped:
        """Return the error that tells of a command that an order stopped, or kept from starting."""
        order = self._cancel.requested() or StopOrder.CANCEL
        how = f" It ended by {' and '.join(ended.signals_sent)}." if ended is not None and ended.signals_sent else ""
        return EngineStopped(f"`{command}` was stopped: {order.value}.{how}", order=order.value, command=command)

    def _say_of_network(self, text: str) -> None:
        self._report(Notice("network", text))

    def _said(self) -> list[dict[str, Any]]:
        return [{"message": found.message, **found.data()} for found in self._diagnostics]

    def failure(self, ended: Ended) -> EngineFailed:
        """Return the error that tells of a failed command, in the engine's own words."""
        errors = [found for found in self._diagnostics if found.severity == "error"]
        if errors:
            detail = errors[0].text()
        else:
            how = f"exit code {ended.exit_code}" if ended.signal is None else f"signal {ended.signal}"
            said = last_lines(ended.stderr.decode(errors="replace").strip(), _SAID_CHARACTERS)
            detail = f"`{ended.command}` ended with {how}" + (f": {said}" if said else ".")
        return EngineFailed(
            detail + endings.hint(ended, self._options.limits, detail),
            diagnostics=self._said(),
            exit_code=ended.exit_code,
            signal=ended.signal,
            command=ended.command,
        )
