"""What beat sends, and how often. Names only, so that beat loads no slice; each job is safe to run beside itself."""

from typing import TypedDict


class Entry(TypedDict):
    """One periodic job."""

    task: str
    schedule: float
    options: dict[str, object]


def _entry(task: str, every_seconds: float) -> Entry:
    # Expired when the next one is due, so that a worker that was away finds one sweep and not a thousand.
    return {"task": task, "schedule": every_seconds, "options": {"queue": "control", "expires": every_seconds}}


BEAT_SCHEDULE: dict[str, Entry] = {
    "sweep-runs": _entry("runs.sweep", 2.0),
    "recheck-runs": _entry("runs.recheck", 30.0),
    "sweep-recovery": _entry("recovery.sweep", 5.0),
    "sweep-rehearsals": _entry("rehearsal.sweep", 5.0),
    "sweep-halts": _entry("halt.sweep", 5.0),
    "sweep-notifications": _entry("notifications.sweep", 5.0),
    "remove-notifications": _entry("notifications.remove_old", 3600.0),
    "chain-audit": _entry("audit.chain", 10.0),
    "look-at-policies": _entry("policy.look", 60.0),
    "sweep-states": _entry("state.sweep", 600.0),
    "compact-progress": _entry("progress.compact", 20.0),
    "retain-runs": _entry("runs.retain", 1800.0),
    "expire-credentials": _entry("identity.expire", 3600.0),
    "retain-rehearsals": _entry("rehearsal.retain", 3600.0),
    "remove-orphans": _entry("runs.remove_orphans", 6 * 3600.0),
}
