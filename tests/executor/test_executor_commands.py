import pytest

from app.executor.commands import (
    ApplyCommand,
    Command,
    InitCommand,
    OpaEvalCommand,
    OpaVersionCommand,
    PlanCommand,
    PythonEvaluatorCommand,
    ShowCommand,
    StatePullCommand,
    StatePushCommand,
    VersionCommand,
)

DIGEST = "0123456789abcdef" * 4
DEFAULTS: list[tuple[Command, str]] = [
    (VersionCommand(), "version -json"),
    (InitCommand(), "init -input=false -no-color -json"),
    (PlanCommand(), "plan -input=false -no-color -json -detailed-exitcode -out=tfplan.binary"),
    (ShowCommand(), "show -no-color -json tfplan.binary"),
    (
        ApplyCommand("tfplan.binary", DIGEST),
        "apply -input=false -no-color -json tfplan.binary",
    ),
    (StatePullCommand(), "state pull"),
    (StatePushCommand(), "state push -no-color pushed.tfstate"),
    (OpaVersionCommand(), "version"),
    (
        OpaEvalCommand("data.policy", ("bundle",)),
        "eval --format=json --stdin-input --strict-builtin-errors --data bundle data.policy",
    ),
    (PythonEvaluatorCommand("evaluate.py"), "-I -B evaluate.py"),
]
EVERYTHING: list[tuple[Command, str]] = [
    (
        InitCommand(is_json=False, lockfile="readonly", upgrade=True),
        "init -input=false -no-color -lockfile=readonly -upgrade",
    ),
    (
        PlanCommand(
            mode="destroy",
            out="out/plan",
            lock_timeout_seconds=30,
            refresh=False,
            targets=("aws_vpc.a", 'module.m["x y"]'),
            replaces=("aws_vpc.b",),
            parallelism=3,
        ),
        (
            "plan -input=false -no-color -json -detailed-exitcode -out=out/plan -destroy -lock-timeout=30s"
            ' -refresh=false -target=aws_vpc.a -target=module.m["x y"] -replace=aws_vpc.b -parallelism=3'
        ),
    ),
    (
        PlanCommand(mode="refresh", is_locked=False, lock_timeout_seconds=30),
        "plan -input=false -no-color -json -detailed-exitcode -out=tfplan.binary -refresh-only -lock=false",
    ),
    (ShowCommand("other.plan"), "show -no-color -json other.plan"),
    (
        ApplyCommand("dir/plan", DIGEST, lock_timeout_seconds=5, parallelism=1),
        "apply -input=false -no-color -json -lock-timeout=5s -parallelism=1 dir/plan",
    ),
    (
        ApplyCommand("plan", DIGEST, is_locked=False),
        "apply -input=false -no-color -json -lock=false plan",
    ),
    (
        StatePushCommand("other.tfstate", is_forced=True, lock_timeout_seconds=7),
        "state push -no-color -force -lock-timeout=7s other.tfstate",
    ),
    (
        OpaEvalCommand(
            "data.x",
            ("a", "b"),
            capabilities="caps.json",
            rego_version=0,
            timeout_seconds=1.5,
            strict_builtin_errors=False,
        ),
        (
            "eval --format=json --stdin-input --v0-compatible --capabilities=caps.json --timeout=1.5s "
            "--data a --data b data.x"
        ),
    ),
    (PythonEvaluatorCommand("evaluate.py", ("--one", "two")), "-I -B evaluate.py --one two"),
]


@pytest.mark.parametrize(("command", "line"), DEFAULTS, ids=lambda value: getattr(value, "name", ""))
def test_command_with_defaults_gives_its_arguments(command: Command, line: str) -> None:
    assert " ".join(command.arguments()) == line


@pytest.mark.parametrize(("command", "line"), EVERYTHING, ids=lambda value: getattr(value, "name", ""))
def test_command_with_everything_set_gives_its_arguments(command: Command, line: str) -> None:
    assert " ".join(command.arguments()) == line


def test_apply_without_plan_file_or_digest_can_not_be_built() -> None:
    with pytest.raises(TypeError):
        ApplyCommand()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ApplyCommand("tfplan.binary")  # type: ignore[call-arg]


@pytest.mark.parametrize("digest", ["", "abc", DIGEST[:-1], DIGEST.upper(), DIGEST + "\n"])
def test_apply_with_a_bad_digest_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="plan_digest"):
        ApplyCommand("tfplan.binary", digest)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../plan", "a/../../plan", "-auto-approve", "-destroy"])
def test_plan_file_that_leaves_the_directory_or_is_an_option_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="relative path"):
        ApplyCommand(path, DIGEST)
    with pytest.raises(ValueError, match="relative path"):
        PlanCommand(out=path)
    with pytest.raises(ValueError, match="relative path"):
        ShowCommand(path)
    with pytest.raises(ValueError, match="relative path"):
        StatePushCommand(path)
