"""What must hold afterwards, read from the API, from PostgreSQL and from the journal outside."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg

from tests.chaos.storm.desk import Desk
from tests.chaos.storm.journal import Made
from tests.chaos.storm.load import Ledger

_STUCK = """
select id, kind, status, phase, lease_expires_at::text from terraform_runs
where (status in ('queued', 'running', 'approved')) or (claimed_at is not null and quiesced_at is null)
"""
_LOCKS = """
select l.workspace_id, l.run_id, l.orphaned_at is not null and r.proof_of_death is not null
from terraform_state_locks l left join terraform_runs r on r.id = l.run_id
"""
_TWICE_REQUESTED = "select message, count(*) from terraform_runs where kind <> 'apply' group by 1 having count(*) > 1"
_CHILDREN = """
select parent_run_id, count(*) from terraform_runs where parent_run_id is not null group by 1 having count(*) > 1
"""
_UNFORESEEN = """
select r.id, r.kind, r.status, r.failure, (
    select json_agg(json_build_object('at', e.created_at, 'kind', e.kind, 'data', e.data) order by e.id)
    from terraform_run_evidence e where e.run_id = r.id
)
from terraform_runs r where r.failure ->> 'code' = 'internal_error'
"""
_IDLE = """
select pid, state, query from pg_stat_activity
where state like 'idle in transaction%%' and now() - state_change > interval '10 seconds'
"""
_RUNS = (
    "select kind, status, coalesce(failure ->> 'code', ''), count(*) from terraform_runs group by 1, 2, 3 order by 4"
)
Key = tuple[str, str]


@dataclass
class Kept:
    """Where each resource that the journal saw is to be found: the first of three places that knows it."""

    in_state_version: int = 0
    in_errored_state: int = 0
    on_recovery_list: int = 0
    missing: list[str] = field(default_factory=list)


def judge_database(url: str) -> tuple[list[str], dict[str, int]]:
    """Return what the database shows that must not be, and how many runs ended in which way."""
    found: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        found += [f"stuck run: {row}" for row in connection.execute(_STUCK)]
        locks = list(connection.execute(_LOCKS))
        found += [f"stuck lock of workspace {row[0]}: holder {row[1]}" for row in locks if not row[2]]
        found += [f"requested twice for one Idempotency-Key: {row}" for row in connection.execute(_TWICE_REQUESTED)]
        found += [f"two applies of one plan: {row}" for row in connection.execute(_CHILDREN)]
        found += [f"left in a transaction: {row}" for row in connection.execute(_IDLE.replace("%%", "%"))]
        found += [f"ended for a reason that nobody foresaw: {row}" for row in connection.execute(_UNFORESEEN)]
        ended = {f"{row[0]} {row[1]} {row[2]}".strip(): row[3] for row in connection.execute(_RUNS)}
    return found, ended


def judge_applies(entries: list[Made]) -> list[str]:
    """Return what the journal saw that must not be: a plan applied twice, two engines at once in a workspace."""
    found = []
    counts = Counter((entry.nonce, entry.address) for entry in entries)
    found += [f"applied twice: {key}, {count} times" for key, count in counts.items() if count > 1]
    newest: dict[str, int] = {}
    for entry in entries:
        workspace, _, number = entry.nonce.rpartition("-")
        if int(number) < newest.get(workspace, 0):
            found.append(f"two engines at once in {workspace}: {entry} after {newest[workspace]}")
        newest[workspace] = max(newest.get(workspace, 0), int(number))
    return found


def judge_starts(desk: Desk, workspaces: Iterable[str]) -> list[str]:
    """Return the applies in which an engine was started more than once."""
    found = []
    for workspace in workspaces:
        for run in desk.everything(f"/terraform/runs?workspace={workspace}&kind=apply"):
            records = desk.get(f"/terraform/runs/{run['id']}/progress?after=0&limit=5000")["records"]
            phases = [record["text"] for record in records if record["kind"] == "phase"]
            if phases.count("applying") > 1:
                found.append(f"an engine was started twice: {run['id']} {phases}")
    return found


def judge_resources(desk: Desk, workspaces: Iterable[str], entries: list[Made], ledger: Ledger) -> Kept:
    """Look for each resource of the journal in state versions, in captured states, and on recovery lists."""
    kept = Kept()
    by_workspace: dict[str, list[Made]] = defaultdict(list)
    for entry in entries:
        by_workspace[entry.nonce.rpartition("-")[0]].append(entry)
    for workspace in workspaces:
        versions, errored = _states(desk, workspace)
        recovery: dict[str, dict[str, Any]] = {}
        for entry in by_workspace[workspace]:
            key = (entry.address, entry.resource_id)
            if key in versions:
                kept.in_state_version += 1
            elif key in errored:
                kept.in_errored_state += 1
            else:
                found = _recovery_of(desk, ledger.plans[entry.nonce], recovery)
                if _is_listed(entry, found):
                    kept.on_recovery_list += 1
                else:
                    kept.missing.append(_missing(entry, found))
    return kept


def _states(desk: Desk, workspace: str) -> tuple[set[Key], set[Key]]:
    """Return the resources of all state versions but captured ones, and those of captured and quarantined states."""
    versions: set[Key] = set()
    errored: set[Key] = set()
    for version in desk.everything(f"/terraform/workspaces/{workspace}/state-versions"):
        answer = desk.send("GET", f"/terraform/state-versions/{version['id']}/download")
        assert answer.status_code == 200, answer.text
        (errored if version["kind"] == "errored" else versions).update(_resources(answer.json()))
    for item in desk.everything(f"/terraform/recovery/quarantine?workspace={workspace}"):
        answer = desk.send("GET", f"/terraform/recovery/quarantine/{item['id']}/download")
        if answer.status_code == 200:
            errored.update(_resources(json.loads(answer.content)))
    return versions, errored


def _resources(state: dict[str, Any]) -> Iterable[Key]:
    for resource in state["resources"]:
        for instance in resource["instances"]:
            index = instance.get("index_key")
            suffix = "" if index is None else f"[{json.dumps(index)}]"
            yield f"{resource['type']}.{resource['name']}{suffix}", str(instance["attributes"].get("id"))


def _recovery_of(desk: Desk, plan_id: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if plan_id not in known:
        run = desk.get(f"/terraform/runs/{plan_id}")
        child = run["child"]["id"] if run["child"] else plan_id
        known[plan_id] = desk.get(f"/terraform/runs/{child}/recovery")
    return known[plan_id]


def _is_listed(entry: Made, recovery: dict[str, Any]) -> bool:
    """Whether a list names the resource: its address, and its id where the engine had told it."""
    return any(
        item["address"] == entry.address and item["resource_id"] in {None, entry.resource_id}
        for item in recovery["items"]
    )


def _missing(entry: Made, recovery: dict[str, Any]) -> str:
    """Say what is missing, and what there is instead."""
    said = ("address", "action", "change", "outcome", "resource_id", "status", "reason")
    items = [{name: item[name] for name in said} for item in recovery["items"]]
    facts = {name: recovery[name] for name in ("run_id", "is_complete", "evidence", "failure")}
    return f"in no state and on no list: {asdict(entry)}; the list: {facts} {items}"
