"""Runs that need providers of a registry on loopback."""

import json
from dataclasses import replace
from typing import Any

from app.core.settings import Settings
from app.executor.discovery import Tool
from app.executor.options import ExecutorOptions
from app.executor.retry import RetryPolicy
from app.runner.supervisor import Supervisor
from tests.runner.memory import MemoryPort, engine_request, plan_job


def needs(*providers: str, **files: str) -> dict[str, str]:
    """Return a configuration that needs providers, each `SOURCE VERSIONS`, and has one resource that needs none."""
    required = {}
    for number, provider in enumerate(providers):
        source, _, version = provider.partition(" ")
        required[f"p{number}"] = {"source": source, **({"version": version} if version else {})}
    document = {
        "terraform": {"required_providers": required},
        "resource": {"terraform_data": {"a": {"input": "x"}}},
    }
    return {"main.tf.json": json.dumps(document), **files}


def ran(tool: Tool, settings: Settings, files: dict[str, str], **changes: Any) -> tuple[str, MemoryPort]:
    """Plan, with waits between attempts that a test can wait for; return the run's status and what it left."""
    port = MemoryPort()
    job = plan_job(port, files, engine=engine_request(tool.kind), **changes)
    options = ExecutorOptions.from_settings(settings, grace_seconds=10, timeout_seconds=60)
    options = replace(options, retry=RetryPolicy(attempts=4, first_seconds=0.05, longest_seconds=0.1))
    return Supervisor(job, port, settings, options=options).run(), port


def planned(tool: Tool, settings: Settings, files: dict[str, str], **changes: Any) -> MemoryPort:
    """Plan, and demand that it worked."""
    status, port = ran(tool, settings, files, **changes)
    assert status == "awaiting_approval", (port.failure, port.text)
    return port
