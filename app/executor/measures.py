"""What holds for engines on this worker, in words: the line that a worker logs at its start."""

from dataclasses import dataclass

from app.core.settings import Settings
from app.executor import control_group, probe
from app.executor.options import ExecutorOptions

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Measures:
    """The sandbox, the limits and the way out. ``warning`` is set where engines run without a sandbox."""

    text: str
    warning: str | None


def of(settings: Settings) -> Measures:
    """Return what holds under the settings.

    Raises what `ExecutorOptions.from_settings` does, where engines can't be run as they ask.
    """
    options = ExecutorOptions.from_settings(
        settings, grace_seconds=settings.grace_seconds, timeout_seconds=settings.run_timeout_seconds
    )
    tree = options.limits.tree
    by = "control groups and a watchdog" if control_group.found() is not None else "a watchdog"
    parts = [f"sandbox: {_sandbox(options)}"]
    if tree is not None:
        parts.append(
            f"limits of an engine: {(tree.memory_bytes or 0) // _MEBIBYTE} MiB of memory, {tree.processes} processes "
            f"and threads, {(tree.disk_bytes or 0) // _MEBIBYTE} MiB on disk, {settings.run_timeout_seconds} s a "
            f"phase, held by {by}"
        )
    if options.egress is None:
        parts.append("egress: shared with the worker")
    else:
        allowed = ", ".join(rule.text for rule in options.egress) or "nothing"
        parts.append(f"egress: through a proxy to {allowed}, and to the managed state")
    return Measures("; ".join(parts), without_sandbox(settings, options))


def without_sandbox(settings: Settings, options: ExecutorOptions) -> str | None:
    """Return the warning that engines run without a sandbox, with the reason and the remedy; None when they don't."""
    if options.tools is not None:
        return None
    reason = "SLUICE_SANDBOX=off" if settings.sandbox == "off" else probe.probe().reason
    return (
        f"the engine runs without a sandbox ({reason}): code in a configuration can read what this worker can. "
        "Install bubblewrap, and set SLUICE_SANDBOX=required so that nothing runs without it."
    )


def _sandbox(options: ExecutorOptions) -> str:
    if options.tools is None:
        return "none"
    if options.tools.mode == "privileged":
        return "bubblewrap, a uid for each run"
    return "bubblewrap, a user namespace"
