"""Secrets that are planted in a real run can be read nowhere once it has quiesced: database, data directory, logs."""

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.embedded.home import open_home
from app.embedded.postgres import Postgres
from app.executor.discovery import Tool
from tests.e2e.site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.xdist_group("e2e"), pytest.mark.timeout(240)]

CONFIGURATION = """
variable "planted" {
  type = string
}
resource "terraform_data" "holder" {
  input = { plain = "visible", hidden = "inside ${var.planted}" }
  provisioner "local-exec" {
    command = "echo command says ${var.planted}; echo environment says $PLANTED_ENV"
  }
}
output "planted" {
  value     = terraform_data.holder.output.hidden
  sensitive = true
}
output "made" {
  value     = "%s"
  sensitive = true
}
"""


def forms(secret: str) -> tuple[bytes, ...]:
    """A secret as it could stand somewhere: as it is, in hexadecimal, in base64 at each offset."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"\0" * shift + raw)[4 * (shift > 0) : -4] for shift in range(3)]
    return (raw, raw.hex().encode(), *shifted)


def table_dump(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table as text, bytes in hexadecimal."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT'.encode()) as copy:
                yield f"table {table}", b"".join(bytes(part) for part in copy)


def files_below(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                yield str(path.relative_to(root)), path.read_bytes()
            except OSError:
                continue


def holders(site: Site, secret: str) -> list[str]:
    """Where one of the secret's forms can be read."""
    home = site.sluice.home
    wanted = forms(secret)
    places = [*table_dump(Postgres(open_home(home)).url()), *files_below(home)]
    assert len(places) > 100, "the search has not seen the database's files"
    return [name for name, data in places if any(form in data for form in wanted)]


def test_planted_secrets_are_readable_nowhere_after_the_run(site: Site, engine_tool: Tool) -> None:
    in_terraform, in_environment, in_output = (f"planted-{secrets.token_hex(12)}" for _ in range(3))
    workspace = site.workspace(engine_tool.kind)
    for kind, key, value in (("terraform", "planted", in_terraform), ("env", "PLANTED_ENV", in_environment)):
        put = site.admin.put(
            f"/terraform/workspaces/{workspace}/variables/{kind}/{key}", json={"value": value, "is_sensitive": True}
        )
        assert put.status_code == 200, put.text
    files = {"main.tf": CONFIGURATION % in_output}
    apply = site.run(site.applied(workspace, files))["child_run_id"]
    assert "environment says" in site.log(apply)
    (version,) = site.versions(workspace)

    # They are there, for who may read them: the search below would find them if they were stored plainly.
    revealed = site.get(f"/terraform/state-versions/{version['id']}/outputs/planted")
    assert revealed["value"] == f"inside {in_terraform}"
    shown = site.sluice.ask("state", "outputs", version["id"], "--reveal", "made")
    assert shown["value"] == in_output
    with psycopg.connect(Postgres(open_home(site.sluice.home)).url()) as connection:
        connection.execute("CHECKPOINT")

    found = {secret: holders(site, secret) for secret in (in_terraform, in_environment, in_output)}
    assert found == {in_terraform: [], in_environment: [], in_output: []}
    # The search itself: what is no secret is found.
    assert any(place.startswith("table ") for place in holders(site, workspace))


# One engine for the two below: neither locks, comparisons nor keys are the engine's; what it writes is covered above.


def test_state_is_locked_by_hand_and_compared_by_the_command_line(site: Site) -> None:
    workspace = site.workspace()
    configuration = 'resource "terraform_data" "a" {\n  input = "%s"\n}\n'
    site.applied(workspace, {"main.tf": configuration % "one"})
    run = site.sluice.run
    assert run("state", "lock", "-w", workspace, "--reason", "by hand").code == 0
    waiting = site.request(workspace, {"main.tf": configuration % "two"})
    assert site.sluice.ask("state", "lock", "-w", workspace, "--reason", "again")["reason"] == "by hand"
    assert site.run(waiting)["status"] == "queued"
    assert run("state", "unlock", "-w", workspace).code == 0
    site.until(waiting, "awaiting_approval")
    apply = site.approve(waiting)
    site.until(apply, "applied")
    site.quiet(apply)
    newer, older = (version["id"] for version in site.versions(workspace))
    done = run("state", "diff", older, newer)
    assert done.code == 0, done.err
    assert '~ input.value: "one" -> "two"' in done.out
    refused = site.sluice.ask("state", "force-unlock", "-w", workspace, "--reason", "x", code=1)
    assert refused["code"] == "state_not_locked"


def test_keys_are_rotated_beside_the_running_system(site: Site) -> None:
    workspace = site.workspace()
    site.applied(workspace, {"main.tf": 'resource "terraform_data" "a" {}\noutput "o" {\n  value = "kept"\n}\n'})
    home = ("--home", site.sluice.home)
    old = site.sluice.ask("keys", "list", *home)["items"][0]
    assert old["seals"] > 0
    new = site.sluice.ask("keys", "add", *home)["id"]
    assert site.sluice.ask("keys", "remove", old["id"], *home, code=1)["code"] == "key_in_use"
    assert site.sluice.ask("keys", "reencrypt", *home)["damaged"] == []
    site.sluice.ask("keys", "remove", old["id"], *home)
    assert [item["id"] for item in site.sluice.ask("keys", "list", *home)["items"]] == [new]
    assert site.outputs(workspace) == {"o": "kept"}
    site.until(site.request(workspace), "no_changes")
