"""What has to be right before any part of Sluice starts: engine, database, key. A process of its own.

It prints one line of JSON: what was found, or ``error`` and ``detail``. So the process that supervises the parts stays
small, and imports neither Alembic nor the slices.
"""

import json
import os
import sys
from typing import Any

from app.core.errors import AppError
from app.core.settings import Settings
from app.embedded import keys, schema, settings
from app.embedded.commands import CREATES_DATABASE
from app.embedded.errors import SchemaMismatch
from app.executor import discovery
from app.executor.errors import ToolMissing
from app.executor.options import ExecutorOptions


def prepare(chosen: Settings) -> dict[str, Any]:
    """Return what was found: engine, policy engine, schema. Raises an ``AppError`` that says what is wrong."""
    engine = discovery.find_engine(chosen)
    # Refuses now what every run would fail by: a CLI configuration that can't be read, a sandbox that is not there.
    ExecutorOptions.from_settings(
        chosen, grace_seconds=chosen.grace_seconds, timeout_seconds=chosen.run_timeout_seconds
    )
    policy_engine = _policy_engine(chosen)
    if chosen.database_url is None:
        raise SchemaMismatch("SLUICE_DATABASE_URL is not set, so there is no database to look at.")
    url = chosen.database_url.get_secret_value()
    found = schema.look_at(url, create_missing=CREATES_DATABASE in os.environ)
    keys.ensure(chosen, has_data=found.age != "empty")
    if found.age != "current":
        schema.migrate(url)
    return {
        "engine": f"{engine.kind} {engine.version}",
        "policy_engine": policy_engine,
        "schema": found.wanted,
        "migrated_from": found.revision if found.age == "old" else None,
    }


def _policy_engine(chosen: Settings) -> str:
    if chosen.policy_engine != "regorus":
        try:
            tool = discovery.find_opa(chosen)
        except ToolMissing:
            if chosen.policy_engine == "opa" or chosen.opa is not None:
                raise
        else:
            return f"opa {tool.version}"
    return "regorus"


def main() -> int:
    """Prepare by the environment's settings; exit 1 when something is wrong."""
    try:
        answer = prepare(settings.load())
    except AppError as error:
        answer = {"error": error.code, "detail": error.detail}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
