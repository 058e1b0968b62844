"""Each way in which an engine can be lost: the check blocks, with the reason, and the next one is not hurt."""

import errno
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.executor import discovery
from app.policy import opa_engine, regorus_engine
from app.policy.checker import PolicyChecker
from app.policy.opa_engine import OpaEngine
from app.policy.schemas import CheckResult
from tests.policy.bundles import pinned
from tests.policy.conftest import ENGINES

DENY = 'package example\n\ndeny contains "a is 1" if input.a == 1\n'
needs_opa = pytest.mark.skipif("opa" not in ENGINES, reason="opa is not on this machine: run `make tools`")


def _seconds(said: str) -> float:
    """Short where the time is to run out; else long enough for a busy machine."""
    return 0.5 if "longer than" in said else 20.0


def _blocked(checker: PolicyChecker) -> CheckResult:
    report = checker.check([pinned(DENY, "advisory")], {"a": 2})
    (result,) = report.results
    assert (result.outcome, report.verdict) == ("error", "blocked_hard")
    assert result.error
    return result


def _fake_opa(tmp_path: Path, what: str, seconds: float) -> PolicyChecker:
    fake = tmp_path / "opa"
    fake.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "Version: 9.9" && exit 0\n{what}\n')
    fake.chmod(0o755)
    return PolicyChecker(Settings(opa=fake, policy_timeout_seconds=seconds))


def _evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, seconds: float) -> PolicyChecker:
    """A checker whose child in process does ``what`` where it would evaluate."""
    script = tmp_path / "evaluator.py"
    script.write_text(f"import os, signal, sys, time\n{what}\n")
    monkeypatch.setattr(regorus_engine, "_EVALUATOR", script)
    monkeypatch.setattr(regorus_engine, "_START_SECONDS", 0.1)
    return PolicyChecker(Settings(policy_engine="regorus", policy_timeout_seconds=seconds))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("kill -KILL $$", "SIGKILL"),
        ("kill -SEGV $$", "SIGSEGV"),
        ("kill -STOP $$", "longer than 0.5 s"),
        ("while :; do :; done", "longer than 0.5 s"),
        ("trap '' INT TERM; sleep 60", "longer than 0.5 s"),
        ("exit 0", "without an answer"),
        ('echo "{}"', "without an answer"),
        ("echo '{\"result\": []}'", "without an answer"),
        ("echo passed; exit 3", "exit code 3"),
        ("echo 'SIGSEGV: segmentation violation' >&2; echo 'PC=0x46d9a1 m=0' >&2; exit 2", "SLUICE_POLICY_MEMORY_MB"),
        ("echo 'panic: nil' >&2; echo '[signal SIGSEGV: segmentation violation]' >&2; exit 2", "exit code 2): panic"),
        ("head -c 100000000 /dev/zero", "64 MiB"),
    ],
)
def test_opa_that_is_killed_hangs_or_lies_blocks(tmp_path: Path, what: str, said: str) -> None:
    assert said in str(_blocked(_fake_opa(tmp_path, what, _seconds(said))).error)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "longer than 0.5 s"),
        ("while True: pass", "longer than 0.5 s"),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)", "longer than 0.5 s"),
        ("sys.exit(0)", "without an answer"),
        ("print('passed')", "without an answer"),
        ('print(\'{"task": 0, "begun": true}\')', "without an answer"),
        ('print(\'{"task": 7, "version": 1, "values": {}, "seconds": 0}\')', "without an answer"),
        ("sys.stdout.write('x' * 100000000)", "64 MiB"),
    ],
)
def test_child_in_process_that_is_killed_hangs_or_lies_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    assert said in str(_blocked(_evaluator(tmp_path, monkeypatch, what, _seconds(said))).error)


def test_interpreter_that_is_gone_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert "could not be started" in str(_blocked(PolicyChecker(Settings(policy_engine="regorus"))).error)


@needs_opa
@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.chmod(0o644), "Permission denied"),
        (lambda path: path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(100)), "format"),
        (lambda path: path.write_bytes(b""), ""),
    ],
    ids=["gone", "not executable", "of another processor", "empty"],
)
def test_opa_that_is_lost_between_start_and_check_blocks(
    tmp_path: Path, lose: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "opa"
    shutil.copy(discovery.find_opa(Settings()).path, path)
    settings = Settings(opa=path)
    found = discovery.find_opa(settings)
    assert PolicyChecker(settings).check([pinned(DENY)], {"a": 2}).verdict == "passed"
    lose(path)
    assert said in str(_blocked(PolicyChecker(settings)).error)
    # Lost after it was looked up, when only starting it can tell.
    assert said in str(_blocked(PolicyChecker(settings, OpaEngine(settings, found))).error)


@needs_opa
def test_temporary_directory_that_is_gone_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = PolicyChecker(Settings(policy_engine="opa"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert "No such file" in str(_blocked(checker).error)


@needs_opa
def test_full_disk_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> list[str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(opa_engine, "_lay_out", full)
    assert "No space left" in str(_blocked(PolicyChecker(Settings(policy_engine="opa"))).error)


def test_check_after_a_lost_one_is_not_hurt(tmp_path: Path, checker: PolicyChecker) -> None:
    _blocked(_fake_opa(tmp_path, "kill -KILL $$", 20.0))
    assert checker.check([pinned(DENY)], {"a": 1}).verdict == "blocked_hard"
    assert checker.check([pinned(DENY)], {"a": 2}).verdict == "passed"
