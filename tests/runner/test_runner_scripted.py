"""What only a scripted engine can be made to do: misbehave."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.exc import OperationalError

from app.core.errors import Unavailable
from app.executor.watched import Watched
from app.runner.port import Failure, HeartbeatAnswer, JobVariable, Phase, ProgressRecord, StateAnswer
from tests.runner.conftest import Bench, BenchMaker, Thing, configuration
from tests.runner.memory import MemoryPort, apply_job
from tests.runner.test_runner_contract import leftovers, when

pytestmark = pytest.mark.processes


def test_engine_that_ignores_sigint_is_killed_after_the_grace_period(make_bench: BenchMaker) -> None:
    for sandbox in ("auto", "off"):
        bench = make_bench(sandbox=sandbox, grace_seconds=0.3)
        job = bench.planned(
            configuration(Thing("a", seconds=30), script={"apply": [{"ignore_sigint": True}, {"spawn": 60}]})
        )
        when(bench.port, "apply_start", "a", lambda: setattr(bench.port, "stop", "cancel"))  # noqa: B023
        assert bench.run(job) == "cancelled"
        assert bench.port.proof is not None
        assert bench.port.proof.signals_sent == ("SIGINT", "SIGKILL")
        assert bench.port.proof.signal == signal.SIGKILL
        assert leftovers() == []


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_process_that_the_engine_left_behind_dies_with_the_run(make_bench: BenchMaker, sandbox: str) -> None:
    bench = make_bench(sandbox=sandbox)
    files = configuration(Thing("a"), script={"plan": [{"spawn": 300}]})
    assert bench.run(bench.plan(files)) == "awaiting_approval"
    assert leftovers() == []
    everywhere = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in everywhere if "time.sleep(300" in line]


def test_engine_that_runs_too_long_is_ended_with_its_own_error(make_bench: BenchMaker) -> None:
    bench = make_bench(timeout_seconds=0.3, grace_seconds=0.3)
    assert bench.run(bench.plan(configuration(script={"plan": [{"sleep": 30}, {"sleep": 30}]}))) == "errored"
    assert bench.port.failure is not None
    assert bench.port.failure.code == "process_timed_out"
    assert "SLUICE_RUN_TIMEOUT_SECONDS" in bench.port.failure.message


def test_engine_that_writes_too_much_is_ended_with_its_own_error(make_bench: BenchMaker) -> None:
    bench = make_bench(output_bytes=1_000_000, grace_seconds=0.3)
    assert bench.run(bench.plan(configuration(script={"plan": [{"flood": 5_000_000}]}))) == "errored"
    assert bench.port.failure is not None
    assert bench.port.failure.code == "output_limit_exceeded"
    assert "after 1 MiB of output" in bench.port.failure.message


def heard_of_stop(port: MemoryPort, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return what is set once a heartbeat was answered with an order to stop."""
    heard = threading.Event()
    beat = port.heartbeat

    def heartbeat(run_id: str, token: int, phase: Phase | None) -> HeartbeatAnswer:
        answer = beat(run_id, token, phase)
        if answer.stop is not None:
            heard.set()
        return answer

    monkeypatch.setattr(port, "heartbeat", heartbeat)
    return heard


def test_lease_that_is_lost_while_an_engine_over_its_limit_is_ended_does_not_hide_the_limit(
    make_bench: BenchMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(output_bytes=1_000_000, grace_seconds=0.5)
    exceed = Watched._exceed
    heard = heard_of_stop(bench.port, monkeypatch)

    def exceed_and_lose(process: Watched, limit: Any) -> None:
        exceed(process, limit)
        bench.port.stop = "lease_lost"
        assert heard.wait(60)

    monkeypatch.setattr(Watched, "_exceed", exceed_and_lose)
    job = bench.plan(configuration(script={"plan": [{"ignore_sigint": True}, {"flood": 5_000_000}, {"sleep": 30}]}))
    assert bench.run(job) == "errored"
    assert heard.is_set()
    assert bench.port.failure is not None
    assert bench.port.failure.code == "output_limit_exceeded"


def test_end_by_the_output_limit_is_not_told_as_a_lost_lease_while_the_lines_are_still_sent(
    make_bench: BenchMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(output_bytes=1_000_000, grace_seconds=0.3)
    port = bench.port
    heard = heard_of_stop(port, monkeypatch)
    tell, append = port.fail, port.append

    def fail(run_id: str, token: int, failure: Failure) -> None:
        tell(run_id, token, failure)
        # As the control plane answers of every run that has failed.
        port.stop = "lease_lost"

    def slowly(run_id: str, token: int, records: list[ProgressRecord]) -> None:
        if port.end == "failed":
            assert heard.wait(60), "the lease is kept while lines are sent"
        append(run_id, token, records)

    monkeypatch.setattr("app.runner.supervisor._FLUSH_SECONDS", 0.0)
    for name, does in {"fail": fail, "append": slowly}.items():
        monkeypatch.setattr(port, name, does)
    assert bench.run(bench.plan(configuration(script={"plan": [{"flood": 5_000_000}]}))) == "errored"
    assert heard.is_set()
    assert port.failure is not None
    assert port.failure.code == "output_limit_exceeded"
    assert "lease_lost" not in port.text
    assert port.text.count("y" * 99) >= 9_000, "what was heard is there to the end"


def test_every_line_of_a_flood_arrives_in_order(scripted: Bench) -> None:
    steps = [{"print": f"first {number}"} for number in range(5)] + [{"flood": 2_000_000}, {"print": "last"}]
    assert scripted.run(scripted.plan(configuration(Thing("a"), script={"plan": steps}))) == "awaiting_approval"
    texts = [record.text for record in scripted.port.records if record.stream == "stdout"]
    assert texts.count("y" * 99) == 20_000
    assert texts.index("first 0") < texts.index("first 4") < texts.index("y" * 99) < texts.index("last")


def test_very_long_line_comes_in_pieces_and_whole(scripted: Bench) -> None:
    size = 3_000_000
    files = configuration(Thing("a"), script={"plan": [{"line": size}, {"print": "after"}]})
    assert scripted.run(scripted.plan(files)) == "awaiting_approval"
    pieces = [record.text for record in scripted.port.records if record.text.startswith("zz")]
    assert sum(map(len, pieces)) == size
    assert max(map(len, pieces)) <= 64 * 1024


def test_unknown_events_and_plain_lines_are_kept(scripted: Bench) -> None:
    steps = [
        {"print": "no json at all"},
        {"print": '{"@level":"info","@message":"from the future","type":"hologram"}'},
        {"print": '{"broken json'},
        {"error": "on standard error"},
    ]
    assert scripted.run(scripted.plan(configuration(Thing("a"), script={"plan": steps}))) == "awaiting_approval"
    for text in ("no json at all", "from the future", '{"broken json', "on standard error"):
        assert text in scripted.port.text


def test_transient_init_failure_is_tried_again_and_said(scripted: Bench) -> None:
    hiccup = [{"error": "Error: dial tcp: i/o timeout"}, {"exit": 1}]
    files = configuration(Thing("a"), script={"init": [{"once": ["seen", hiccup]}]})
    assert scripted.run(scripted.plan(files)) == "awaiting_approval"
    [notice] = [record for record in scripted.port.records if record.data.get("type") == "notice"]
    assert notice.data["attempt"] == 2


def test_transient_init_failure_that_stays_fails_after_all_attempts(scripted: Bench) -> None:
    files = configuration(script={"init": [{"error": "502 Bad Gateway"}, {"exit": 1}]})
    assert scripted.run(scripted.plan(files)) == "errored"
    assert len([record for record in scripted.port.records if record.data.get("type") == "notice"]) == 2
    assert scripted.port.failure is not None
    assert scripted.port.failure.phase == "initializing"
    assert "502 Bad Gateway" in scripted.port.failure.message


def test_permanent_init_failure_is_not_tried_again(scripted: Bench) -> None:
    files = configuration(script={"init": [{"error": "no available releases match"}, {"exit": 1}]})
    assert scripted.run(scripted.plan(files)) == "errored"
    assert not [record for record in scripted.port.records if record.data.get("type") == "notice"]


def test_state_that_the_backend_refused_is_kept_as_errored(scripted: Bench) -> None:
    job = scripted.planned(configuration(Thing("a"), drops_state=True))
    assert scripted.run(job) == "errored"
    [(kind, state)] = scripted.port.states
    assert kind == "errored"
    assert json.loads(state)["resources"][0]["name"] == "a"


def test_state_arrives_although_the_control_plane_was_away(scripted: Bench) -> None:
    job = scripted.planned(configuration(Thing("a")))
    keep = scripted.port.put_state
    failures = [Unavailable("the database restarts"), ConnectionResetError("gone"), ConnectionRefusedError("still")]

    def put_state(*arguments: Any) -> StateAnswer:
        if failures:
            raise failures.pop()
        return keep(*arguments)

    scripted.port.put_state = put_state  # type: ignore[method-assign]
    assert scripted.run(job) == "applied"
    assert len(scripted.port.states) == 1


@pytest.mark.parametrize("call", ["get_artifact", "put_artifact", "check", "settle", "verify", "finish", "quiesce"])
def test_run_goes_on_although_the_control_plane_was_away_at_one_call(
    scripted: Bench, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    made, failures = getattr(scripted.port, call), [OperationalError("select", {}, Exception("it restarts"))]

    def fails_once(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return made(*arguments)

    monkeypatch.setattr(scripted.port, call, fails_once)
    plan = scripted.plan(configuration(Thing("a")), has_policies=True)
    assert scripted.run(plan) == "awaiting_approval"
    assert scripted.run(scripted.planned(configuration(Thing("a")))) == "applied"
    assert not failures


def test_state_that_can_not_be_stored_stays_in_its_directory(scripted: Bench) -> None:
    job = scripted.planned(configuration(Thing("a")))

    def put_state(*_: Any) -> StateAnswer:
        raise ValueError("a fault that stays")

    scripted.port.put_state = put_state  # type: ignore[method-assign]
    assert scripted.run(job) == "errored"
    assert list(Path(scripted.settings.work_dir or "").rglob("terraform.tfstate"))


def test_file_that_the_plan_left_beside_it_is_there_at_apply(scripted: Bench) -> None:
    plan = [{"write": ["build/lambda.txt", "packed"]}, {"write": [".terraform/modules/m/out.zip", "inside a module"]}]
    apply = [{"read": "build/lambda.txt"}, {"read": ".terraform/modules/m/out.zip"}]
    job = scripted.planned(configuration(Thing("a"), script={"plan": plan, "apply": apply}))
    assert job.side_files is not None
    assert scripted.run(job) == "applied", scripted.port.text
    assert "read build/lambda.txt: b'packed'" in scripted.port.text
    assert "inside a module" in scripted.port.text


def test_plan_without_files_beside_it_stores_none(scripted: Bench) -> None:
    assert scripted.planned(configuration(Thing("a"))).side_files is None


@pytest.mark.parametrize("name", ["tfplan.binary", "terraform.tfstate", ".terraform.lock.hcl"])
def test_link_in_place_of_a_file_that_is_collected_is_not_followed(scripted: Bench, name: str) -> None:
    secret = Path("/etc/hostname")
    job = scripted.planned(configuration(Thing("a")))
    end = [{"exit": 2}] if name == "tfplan.binary" else []
    files = configuration(Thing("a"), script={"plan": [{"link": [name, str(secret)]}, *end]})
    if name == "terraform.tfstate":
        steps = [{"link": [name, str(secret)]}, {"exit": 0}]
        rigged = configuration(Thing("a"), script={"apply": steps})
        planned = scripted.plan(rigged, run_id="run-r")
        assert scripted.run(planned) == "awaiting_approval"
        assert scripted.run(apply_job(scripted.port, planned)) == "errored"
    else:
        assert scripted.run(scripted.plan(files, run_id="run-l")) == "errored"
    assert scripted.port.failure is not None
    refused = "plan_surroundings_changed" if name == ".terraform.lock.hcl" else "process_failed"
    assert scripted.port.failure.code == refused
    assert not [data for data in scripted.port.artifacts.values() if data == secret.read_bytes()]
    assert job.plan_file is not None


def test_apply_in_another_directory_than_its_plan_is_refused(make_bench: BenchMaker) -> None:
    inside, outside = make_bench(), make_bench(sandbox="off")
    outside.port = inside.port
    job = inside.planned(configuration(Thing("a")))
    if inside.options.tools is None:
        pytest.skip("there is no sandbox here")
    assert outside.run(job) == "errored"
    assert inside.port.failure is not None
    assert inside.port.failure.code == "working_directory_mismatch"
    assert "/workspace" in inside.port.failure.message


def test_apply_by_another_engine_than_planned_is_refused(scripted: Bench) -> None:
    job = scripted.planned(configuration(Thing("a")))
    assert job.planned_engine is not None
    other = job.planned_engine.model_copy(update={"sha256": "0" * 64})
    assert scripted.run(job.model_copy(update={"planned_engine": other})) == "errored"
    assert scripted.port.failure is not None
    assert scripted.port.failure.code == "engine_mismatch"


def test_forbidden_variable_fails_the_run_and_names_it(scripted: Bench) -> None:
    variables = (JobVariable(key="TF_CLI_ARGS_apply", value="-auto-approve", kind="env"),)
    assert scripted.run(scripted.plan(configuration(Thing("a")), variables=variables)) == "errored"
    assert scripted.port.failure is not None
    assert scripted.port.failure.code == "forbidden_environment_variable"
    assert "TF_CLI_ARGS_apply" in scripted.port.failure.message


def test_sensitive_environment_variable_reaches_the_engine_and_no_log(scripted: Bench) -> None:
    variables = (JobVariable(key="AWS_SECRET_ACCESS_KEY", value="s3cr3t/Key+0", kind="env", sensitive=True),)
    files = configuration(Thing("a"), script={"plan": [{"environment": True}]})
    assert scripted.run(scripted.plan(files, variables=variables)) == "awaiting_approval"
    assert "AWS_SECRET_ACCESS_KEY" in scripted.port.text
    assert "s3cr3t" not in scripted.port.text


def test_archive_that_brings_state_or_plan_loses_them(scripted: Bench) -> None:
    files = configuration(Thing("a"))
    files["terraform.tfstate"] = json.dumps({"version": 4, "serial": 9, "lineage": "theirs", "resources": []})
    files[".terraform/environment"] = "elsewhere"
    plan = configuration(
        Thing("a"), script={"plan": [{"read": "terraform.tfstate"}, {"read": ".terraform/environment"}]}
    )
    assert scripted.run(scripted.plan({**files, **plan})) == "awaiting_approval"
    assert "no terraform.tfstate" in scripted.port.text
    assert "no .terraform/environment" in scripted.port.text


@pytest.mark.parametrize("module_path", ["../elsewhere", "/etc", "missing"])
def test_module_path_that_leaves_or_is_missing_is_refused(scripted: Bench, module_path: str) -> None:
    assert scripted.run(scripted.plan(configuration(Thing("a")), module_path=module_path)) == "errored"
    assert scripted.port.failure is not None
    assert scripted.port.failure.code == "configuration_unusable"


@pytest.mark.parametrize("sandbox", ["auto", "off"])
@pytest.mark.parametrize(
    "step",
    [
        {"write": [".terraform/providers/swapped", "evil"]},
        {"write": [".terraform.lock.hcl", "evil"]},
        {"link": [".terraform/terraform.tfstate", "/elsewhere"]},
    ],
    ids=["provider", "lock file", "backend"],
)
def test_plan_that_changes_what_it_is_read_with_is_refused(
    make_bench: BenchMaker, sandbox: str, step: dict[str, Any]
) -> None:
    bench = make_bench(sandbox=sandbox)
    assert bench.run(bench.plan(configuration(Thing("a"), script={"plan": [step]}))) == "errored"
    assert bench.port.failure is not None
    assert bench.port.failure.code == "plan_surroundings_changed"
    assert next(iter(step.values()))[0].startswith(bench.port.failure.message.split(" changed ")[1].split(",")[0])


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_plan_leaves_nothing_in_the_home_of_what_reads_it(make_bench: BenchMaker, sandbox: str) -> None:
    script = {"plan": [{"once": [".tofurc", []]}], "show": [{"absent": ".tofurc"}]}
    bench = make_bench(sandbox=sandbox)
    assert bench.run(bench.plan(configuration(Thing("a"), script=script))) == "awaiting_approval"
