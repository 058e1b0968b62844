"""`init`, once for a configuration: from what an earlier one left, with the shared cache's providers, or all anew."""

from typing import Protocol

from app.executor import files, lock_file, prepared, requirements
from app.executor.cancel import CancelToken
from app.executor.cli_config import compose
from app.executor.commands import Command, InitCommand
from app.executor.engine import Notice, Output, Report, Site
from app.executor.errors import EngineFailed, EngineStopped
from app.executor.events import Diagnostic
from app.executor.launch import Ended
from app.executor.options import ExecutorOptions
from app.executor.requirements import Requirement
from app.executor.retry import may_pass
from app.executor.shared_providers import Hear, Seat, SharedProviders
from app.executor.surroundings import Surroundings
from app.executor.tree import wait_for

LOCK_FILE = ".terraform.lock.hcl"
_FILE_LIMIT = 64 * 1024 * 1024


class Host(Protocol):
    """What the executor does for `init`."""

    def run(self, command: Command, *, seat: Seat | None = None, hear: Hear | None = None) -> Ended:
        """Run a command to its end."""

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Return what the last command complained of."""

    def failure(self, ended: Ended) -> EngineFailed:
        """Return the error that tells of a failed command."""

    def stopped(self, command: str) -> EngineStopped:
        """Return the error that tells of a command that was kept from starting."""


class Initializer:
    """Runs `init` in one run's directory. ``shelf`` and ``shared`` None keep and share nothing."""

    def __init__(
        self,
        host: Host,
        *,
        engine: str,
        is_json: bool,
        site: Site,
        options: ExecutorOptions,
        surroundings: Surroundings,
        shelf: prepared.Shelf | None,
        shared: SharedProviders | None,
        cancel: CancelToken,
        report: Report,
    ) -> None:
        self._host = host
        self._engine = engine
        self._is_json = is_json
        self._site = site
        self._options = options
        self._surroundings = surroundings
        self._shelf = shelf
        self._shared = shared
        self._cancel = cancel
        self._report = report

    def lock_file(self) -> bytes | None:
        """Return the lock file that lies in the root module now."""
        return files.read(self._site.module, LOCK_FILE, limit_bytes=_FILE_LIMIT)

    def lay_out_kept(self, locked: bytes | None) -> bool:
        """Put back what an earlier `init` with this lock file left. Returns whether there was something that fits."""
        kept = self._shelf.take(locked) if self._shelf is not None else None
        if kept is None or (self._shared is not None and not self._shared.holds(prepared.links(kept))):
            return False
        prepared.lay_out(self._site.module, kept, owner=self._options.owner)
        message = "Initialized before with this configuration; init is not needed again."
        self._report(Notice("init", message, is_fixed=True))
        return True

    def run(self, locked: bytes | None, *, is_apply: bool) -> None:
        """Run `init`, again while its failure looks transient, and keep what it made.

        Raises ``EngineFailed``, ``EngineStopped`` and the gateway's errors.
        """
        shared = self._shared
        if shared is not None and not shared.serves(self._site.module):
            self._surroundings.use(compose(self._options.cli_text, None))
            shared = None
        is_readonly = is_apply and locked is not None
        command = InitCommand(is_json=self._is_json, lockfile="readonly" if is_readonly else "write")
        if shared is None or not self._share(shared, command, locked):
            self._repeat(command)
        after = self.lock_file()
        if shared is not None:
            shared.take_over(self._site.module, after)
        if self._shelf is not None:
            config = self._options.cli_config
            made = prepared.collect(self._site.module, config.directories if config is not None else (), after)
            if made is not None:
                self._shelf.put(made, lock_file=locked)

    def _share(self, shared: SharedProviders, command: InitCommand, locked: bytes | None) -> bool:
        """Have the cache hold what the run needs. Returns whether that needed, and did, the whole `init`."""
        chosen = lock_file.parse(locked)
        if chosen:
            needed = [Requirement(found.address, f"= {found.version}") for found in chosen.values()]
        else:
            self._surroundings.use(shared.no_sources)
            heard: list[Output] = []
            ended = self._host.run(command, hear=heard.append)
            if ended.exit_code == 0:
                for line in heard:
                    self._report(line)
                self._surroundings.use(self._options.cli_config)
                return True
            needed = requirements.read((found.event.message for found in heard), self._engine)
        shared.fetch(needed)
        configuration, added = shared.configuration(chosen, needed)
        self._surroundings.use(configuration)
        if locked is not None and added:
            for address, checksum in added.items():
                locked = lock_file.with_hash(locked, address, checksum)
            files.write(self._site.module, LOCK_FILE, locked, owner=self._options.owner)
        return False

    def _repeat(self, command: InitCommand) -> None:
        attempt, attempts = 1, self._options.retry.attempts
        while True:
            ended = self._host.run(command)
            if ended.exit_code == 0:
                return
            errors = [found for found in self._host.diagnostics if found.severity == "error"]
            messages = [f"{found.summary}: {found.detail}" for found in errors]
            pause = self._options.retry.wait_after(attempt)
            if pause is None or not may_pass(messages or [ended.stderr.decode(errors="replace")]):
                raise self._host.failure(ended)
            attempt += 1
            self._report(
                Notice(
                    "init",
                    f"init failed for a reason that may pass; attempt {attempt} of {attempts} in {pause:g} s.",
                    {"attempt": attempt, "attempts": attempts, "wait_seconds": pause},
                )
            )
            if wait_for(self._cancel.fileno(), pause):
                raise self._host.stopped("init")
