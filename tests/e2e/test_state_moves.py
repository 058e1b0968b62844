"""Rollback and migration on a running Sluice, by its command line, and a runner that is killed in the middle.

With one engine: what each engine makes of the states is in tests/state/test_moving_engines.py.
"""

import signal

import psycopg
import pytest

from app.embedded.home import open_home
from app.embedded.postgres import Postgres
from tests.e2e.site import Site, gone, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.xdist_group("e2e"), pytest.mark.timeout(240)]

CONFIGURATION = 'resource "terraform_data" "%s" {}\noutput "what" {\n  value = "%s"\n}\n'
SLOW = """
CREATE FUNCTION slow_flip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END';
CREATE TRIGGER slow_flip BEFORE UPDATE OF state_backend ON terraform_workspaces
  FOR EACH ROW EXECUTE FUNCTION slow_flip();
"""


def backend_of(site: Site, workspace: str) -> str:
    return str(site.get(f"/terraform/workspaces/{workspace}")["state_backend"])


def test_state_is_rolled_back_by_the_command_line(site: Site) -> None:
    workspace = site.workspace(state_backend="managed", requester_may_approve=True)
    site.applied(workspace, {"main.tf": CONFIGURATION % ("a", "one")})
    first = site.versions(workspace)[0]
    site.applied(workspace, {"main.tf": CONFIGURATION % ("b", "two")})
    ask, to = site.sluice.ask, str(first["number"])

    assert ask("state", "lock", "-w", workspace, "--reason", "by hand")
    assert ask("state", "rollback", "-w", workspace, "--to", to, code=1)["code"] == "state_locked"
    assert site.sluice.run("state", "unlock", "-w", workspace).code == 0
    newest = str(site.versions(workspace)[0]["number"])
    assert ask("state", "rollback", "-w", workspace, "--to", newest, code=1)["code"] == "state_version_current"
    assert ask("state", "rollback", "-w", workspace, "--to", "99", code=1)["code"] == "state_version_not_found"

    run = ask("state", "rollback", "-w", workspace, "--to", to, "--wait", code=2)
    assert (run["kind"], run["target"]["state_version_id"]) == ("rollback", first["id"])
    shown = site.sluice.run("run", "show", run["id"], "--plan").out
    assert "back to" in shown
    assert "terraform_data.a" in shown
    ask("approve", run["id"], "--yes", "--wait")
    made = site.versions(workspace)[0]
    assert (made["kind"], made["id"]) == ("rolled_back", site.run(run["id"])["state_version"]["id"])
    assert site.outputs(workspace) == {"what": "one"}
    site.quiet(site.run(run["id"])["child_run_id"])
    site.planned(workspace, {"main.tf": CONFIGURATION % ("b", "two")})


def test_state_is_migrated_there_and_back_by_the_command_line(site: Site) -> None:
    workspace = site.workspace(state_backend="local", requester_may_approve=True)
    site.applied(workspace, {"main.tf": CONFIGURATION % ("a", "one")})
    ask = site.sluice.ask
    assert ask("state", "migrate", "-w", workspace, "--to", "s3", code=1)["code"] == "state_backend_settings_invalid"
    for backend in ("managed", "local"):
        run = ask("state", "migrate", "-w", workspace, "--to", backend, "--wait", code=2)
        assert f"to   {backend}" in site.sluice.run("run", "show", run["id"], "--plan").out
        ask("approve", run["id"], "--yes", "--wait")
        assert backend_of(site, workspace) == backend
        site.quiet(site.run(run["id"])["child_run_id"])
        site.until(site.request(workspace), "no_changes")


def test_supervisor_killed_while_the_workspace_changes_over_leaves_one_usable_backend(site: Site) -> None:
    workspace = site.workspace(state_backend="local", requester_may_approve=True)
    site.applied(workspace, {"main.tf": CONFIGURATION % ("a", "one")})
    run = site.sluice.ask("state", "migrate", "-w", workspace, "--to", "managed", "--wait", code=2)
    url = Postgres(open_home(site.sluice.home)).url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SLOW)
        try:
            apply = site.approve(run["id"])
            sleeps = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            wait_until("the workspace changes over", lambda: connection.execute(sleeps).fetchone())
            supervisor, engines = site.supervisor()
            supervisor.send_signal(signal.SIGKILL)
            assert gone([supervisor, *engines])
            for (pid,) in connection.execute(sleeps).fetchall():
                # What the server would notice by itself only after the sleep: nobody is there any more.
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        finally:
            connection.execute("DROP TRIGGER slow_flip ON terraform_workspaces; DROP FUNCTION slow_flip()")
    site.quiet(apply)
    assert site.run(run["id"])["status"] == "errored"
    assert backend_of(site, workspace) == "local"
    lock = site.get(f"/terraform/workspaces/{workspace}/state-lock")
    if lock is not None:
        assert lock["is_orphaned"]
        site.post(f"/terraform/workspaces/{workspace}/state-lock/release")
    site.until(site.request(workspace), "no_changes")
    again = site.sluice.ask("state", "migrate", "-w", workspace, "--to", "managed", "--wait", code=2)
    site.sluice.ask("approve", again["id"], "--yes", "--wait")
    assert backend_of(site, workspace) == "managed"
    site.quiet(site.run(again["id"])["child_run_id"])
    site.until(site.request(workspace), "no_changes")
