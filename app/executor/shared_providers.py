"""What one run's `init` takes from the shared provider cache, and how the cache comes by it.

A run's own `.terraform` is hostile territory, so nothing of it enters. What a run needs and the cache lacks is fetched
once more by an engine that runs alone: a generated configuration that names that provider and nothing else, in a
sandbox of its own, under the operator's installation rules and with none of the run's variables. The engine checks the
registry's signed checksums, as it does at any `init`; what it leaves is hashed and admitted.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.executor import files, lock_file
from app.executor.cancel import CancelToken
from app.executor.cli_config import CliConfiguration, compose, without_sources
from app.executor.commands import Command, InitCommand
from app.executor.discovery import Tool
from app.executor.engine import Notice, Output, Report, Site
from app.executor.errors import EngineStopped, PackageRefused, ProcessFailed
from app.executor.events import Diagnostic
from app.executor.launch import Ended, Limits
from app.executor.lock_file import LockedProvider
from app.executor.options import ExecutorOptions
from app.executor.plugin_cache import PLATFORM, Package, PluginCache
from app.executor.requirements import Requirement
from app.executor.retry import may_pass
from app.executor.surroundings import Surroundings
from app.executor.tree import wait_for

_log = logging.getLogger(__name__)
_LOCK_FILE = ".terraform.lock.hcl"
_LOCK_FILE_BYTES = 4 * 1024 * 1024
# Who fetched in vain tells the others; after this long it is tried again.
_FAILURE_STANDS_SECONDS = 300.0
_LONGEST_SECONDS = 900.0
_FROM_A_MIRROR = "it comes from a mirror on this machine."
_VENDORED = "terraform.d/plugins"


@dataclass(frozen=True)
class Seat:
    """Where a command runs, when that is not the run's own directory."""

    directory: Path
    surroundings: Surroundings


Hear = Callable[[Output], None]


class Runs(Protocol):
    """How the executor runs one command and counts its process among the run's."""

    def __call__(
        self, command: Command, *, seat: Seat | None = None, hear: Hear | None = None, limits: Limits | None = None
    ) -> Ended:
        """Run it to its end. ``hear`` gets its lines, which then don't go to the log."""


class SharedProviders:
    """One run's dealings with the cache. It never makes a run fail: what it can't do, the run's `init` does itself."""

    def __init__(
        self,
        cache: PluginCache,
        *,
        tool: Tool,
        is_json: bool,
        options: ExecutorOptions,
        run: Runs,
        cancel: CancelToken,
        report: Report,
    ) -> None:
        self._cache = cache
        self._tool = tool
        self._is_json = is_json
        self._options = options
        self._run = run
        self._cancel = cancel
        self._report = report

    @property
    def no_sources(self) -> CliConfiguration:
        """Return a CLI configuration under which an `init` says what it needs and fetches no provider."""
        return without_sources(self._options.cli_text)

    def serves(self, module: Path) -> bool:
        """Return whether the cache may take part: a configuration that brings its own providers uses those."""
        return not (module / _VENDORED).is_dir()

    def holds(self, targets: Sequence[str]) -> bool:
        """Return whether those ``targets`` of links that are in the cache are packages as they were admitted."""
        inside = [target for target in targets if Path(target).is_relative_to(self._cache.packages)]
        return all(self._cache.holds_link(target) for target in inside)

    def fetch(self, requirements: Sequence[Requirement]) -> None:
        """Bring into the cache what it lacks of what a run needs."""
        for requirement in requirements:
            if not self._cache.satisfies(requirement.address, requirement.constraint):
                self._fetch_one(requirement)

    def configuration(
        self, locked: dict[str, LockedProvider], asked: Sequence[Requirement]
    ) -> tuple[CliConfiguration | None, dict[str, str]]:
        """Return the CLI configuration for a run's `init`, and checksums to add to its lock file, by address.

        A provider comes from the cache when the lock file allows its package, or allows every archive that its registry
        lists for the version: then the lock file, made on another platform, lacks this platform's checksum only, which
        the engine would add itself. Any other is left to the engine, which has its own words for it.
        """
        unfit, known, added = set(), set(), {}
        for provider in locked.values():
            package = self._cache.find(provider.address, provider.version)
            if package is None:
                continue
            if package.h1 in provider.hashes or not provider.hashes:
                known.add(provider.address)
            elif _archives(package) and _archives(package) <= provider.hashes:
                known.add(provider.address)
                added[provider.address] = package.h1
            else:
                unfit.add(provider.address)
        for address in {*locked, *(found.address for found in asked)}:
            if not self._cache.is_sound(address):
                unfit.add(address)
        configuration = compose(self._options.cli_text, self._cache.packages, unfit=unfit, known=known - unfit)
        return configuration, {address: h1 for address, h1 in added.items() if address not in unfit}

    def take_over(self, module: Path, content: bytes | None) -> None:
        """After a run's `init`: fetch what it had to fetch itself, and turn its copies into links to the cache.

        No process of the run lives. ``content`` is the lock file that the `init` ended with.
        """
        for provider in lock_file.parse(content).values():
            name = f".terraform/providers/{provider.address}/{provider.version}/{PLATFORM}"
            if (module / name).is_symlink() or not (module / name).is_dir():
                continue
            self.fetch([Requirement(provider.address, f"= {provider.version}")])
            package = self._cache.find(provider.address, provider.version)
            if package is None:
                continue
            if package.h1 not in provider.hashes:
                self._report(
                    Notice(
                        "init",
                        f"{provider.address} {provider.version} was locked with other checksums than its registry's "
                        "package has; it is not shared.",
                    )
                )
                continue
            try:
                files.replace_by_link(module, name, str(package.path))
            except OSError as error:
                _log.warning("A provider could not be linked to the shared cache: %s.", error)

    def _fetch_one(self, requirement: Requirement) -> None:
        cache, address, constraint = self._cache, requirement.address, requirement.constraint
        if not self._options.fills_cache:
            return
        asked_at = time.time()
        if cache.failed_since(address, constraint, asked_at - _FAILURE_STANDS_SECONDS):
            return
        try:
            with cache.hold(address, self._cancel) as is_held:
                if (
                    not is_held
                    or cache.failed_since(address, constraint, asked_at)
                    or cache.satisfies(address, constraint)
                ):
                    return
                cache.sweep()
                problem = self._try_repeatedly(requirement)
                if problem is not None:
                    cache.note_failure(address, constraint)
        except EngineStopped:
            raise
        except OSError as error:
            problem = f"{error.strerror or error}"
        except Exception as error:
            # A package may be anything; what nobody foresaw of one is no reason for a run to fail.
            _log.exception("%s could not be fetched for the shared cache.", address)
            problem = f"{type(error).__name__} while it was being fetched."
            cache.note_failure(address, constraint)
        # What lies in a mirror of the operator is shared already.
        if problem not in (None, _FROM_A_MIRROR):
            self._report(Notice("init", f"{address} is not shared between runs: {problem}"))

    def _try_repeatedly(self, requirement: Requirement) -> str | None:
        """Fetch a provider into the cache. Returns why that can't be done, None when it is."""
        attempt = 1
        while True:
            problem, is_transient = self._try(requirement)
            pause = self._options.retry.wait_after(attempt)
            if problem is None or not is_transient or pause is None:
                return problem
            attempt += 1
            attempts = self._options.retry.attempts
            self._report(
                Notice(
                    "init",
                    f"{requirement.address} could not be fetched for a reason that may pass ({problem}); attempt "
                    f"{attempt} of {attempts} in {pause:g} s.",
                    {"attempt": attempt, "attempts": attempts, "wait_seconds": pause},
                )
            )
            if wait_for(self._cancel.fileno(), pause):
                return "the run was stopped."

    def _try(self, requirement: Requirement) -> tuple[str | None, bool]:
        """Fetch once. Returns what went wrong, and whether that may pass."""
        with self._cache.stage() as root:
            site = Site(root)
            for directory in (site.work, site.temporary, site.home):
                directory.mkdir()
                directory.chmod(0o755)
                if self._options.owner.id is not None:
                    os.chown(directory, self._options.owner.id, self._options.owner.id)
            files.write(site.work, "main.tf.json", _configuration(requirement), owner=self._options.owner)
            surroundings = Surroundings(
                self._tool,
                site,
                self._options,
                variables=(),
                environment={},
                backend_environment={},
                say=lambda text: self._report(Notice("network", text)),
            )
            surroundings.use(compose(self._options.cli_text, None))
            heard: list[Output] = []
            limits = self._options.limits
            longest = min(limits.timeout_seconds or _LONGEST_SECONDS, _LONGEST_SECONDS)
            try:
                ended = self._run(
                    InitCommand(is_json=self._is_json),
                    seat=Seat(site.module, surroundings),
                    hear=heard.append,
                    limits=replace(limits, timeout_seconds=longest),
                )
            except EngineStopped:
                raise
            except ProcessFailed as error:
                return error.detail, False
            if ended.exit_code != 0:
                events = [found.event for found in heard if isinstance(found.event, Diagnostic)]
                said = [f"{found.summary}: {found.detail}" for found in events if found.severity == "error"]
                said = said or [ended.stderr.decode(errors="replace")]
                return " ".join(said[0].split("\n\n")[0].split())[:500], may_pass(said)
            return self._admit(site, requirement.address), False

    def _admit(self, site: Site, address: str) -> str | None:
        content = files.read(site.module, _LOCK_FILE, limit_bytes=_LOCK_FILE_BYTES)
        locked = lock_file.parse(content).get(address)
        if locked is None:
            return "the engine locked no version of it."
        source = site.module / ".terraform" / "providers" / address / locked.version / PLATFORM
        if source.is_symlink() or not source.is_dir():
            return _FROM_A_MIRROR
        by = f"{self._tool.kind} {self._tool.version} {self._tool.sha256}"
        try:
            self._cache.admit(source, address, locked.version, hashes=locked.hashes, by=by)
        except (PackageRefused, OSError) as error:
            _log.warning("A provider package was not admitted: %s", error)
            return str(error)
        self._report(Notice("init", f"Fetched {address} {locked.version} for every run of this worker."))
        return None


def _configuration(requirement: Requirement) -> bytes:
    """Return a configuration that needs one provider and does nothing."""
    wanted = {"source": requirement.address}
    if requirement.constraint:
        wanted["version"] = requirement.constraint
    return json.dumps({"terraform": {"required_providers": {"shared": wanted}}}).encode()


def _archives(package: Package) -> frozenset[str]:
    return frozenset(found for found in package.hashes if found.startswith("zh:"))
