"""Notifications through a real worker to a real receiver, and the audit trail proven from an export."""

import json
from pathlib import Path

import pytest

from tests.notifications.test_sending import verified
from tests.support.receiver import running_receiver
from tests.support.server import RunningSluice

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("cli"),
]


def test_run_that_waits_is_told_to_a_receiver_that_verifies_it(sluice: RunningSluice, directory: Path) -> None:
    with running_receiver() as receiver:
        made = sluice.ask(
            "notification", "create", "hook", receiver.url, "--event", "waiting", "--workspace", "told", code=1
        )
        assert made["code"] == "workspace_not_found"
        made = sluice.ask("notification", "create", "hook", receiver.url, "--event", "waiting")
        assert sluice.ask("notification", "test", "hook")["status"] == "delivered"
        run = sluice.ask("plan", directory, "--workspace", "told", "--create", "--wait", code=2)
        got = receiver.wait_for(2)
        sluice.ask("discard", run["id"])
    assert all(verified(one, made["secret"]) for one in got)
    told = json.loads(got[1].body)
    assert (told["type"], told["run"]["id"], told["workspace"]["name"]) == ("run.waiting", run["id"], "told")
    listed = sluice.ask("notification", "deliveries", "hook")["items"]
    assert [(one["event"], one["status"]) for one in listed] == [("waiting", "delivered"), ("test", "delivered")]
    refused = sluice.ask("notification", "create", "inner", "https://10.0.0.1/x", code=1)
    assert refused["code"] == "outgoing_refused"
    assert sluice.ask("notification", "set", "hook", "--disable")["is_enabled"] is False
    sluice.ask("notification", "remove", "hook")


def test_export_is_proven_without_a_server(sluice: RunningSluice, tmp_path: Path) -> None:
    key = sluice.ask("audit", "key")["items"][0]["public_key"]
    exported = sluice.run("audit", "export")
    assert exported.code == 0
    file = tmp_path / "audit.jsonl"
    file.write_text(exported.out)
    report = sluice.ask("audit", "verify", "--file", file, "--public-key", key)
    assert report["is_intact"]
    assert report["checkpoints"] >= 1
    assert sluice.ask("audit", "verify", "--public-key", key)["is_intact"]
    file.write_text(exported.out.replace('"organization.created"', '"organization.deleted"', 1))
    changed = sluice.ask("audit", "verify", "--file", file, "--public-key", key, code=1)
    assert (changed["finding"], changed["row"]["action"]) == ("changed", "organization.deleted")
