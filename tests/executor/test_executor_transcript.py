"""An apply's words in a file: followed while it runs, and read again when nobody is left who listened."""

import json
from pathlib import Path

import pytest

from app.executor.transcript import Transcript, path_in, steps

HOOK = {"resource": {"addr": "aws_x.y", "resource_type": "aws_x"}, "action": "create"}


def line(kind: str, **more: object) -> str:
    said = {"@level": "info", "@message": "…", "@timestamp": "2026-11-21T07:43:57.800604Z", "type": kind}
    return json.dumps({**said, "hook": {**HOOK, **more}}) + "\n"


def test_steps_are_read_in_order_with_the_engines_time(tmp_path: Path) -> None:
    written = line("apply_start") + "plain text\n" + line("apply_complete", id_key="id", id_value="i-1")
    path_in(tmp_path).write_text(written)
    found = list(steps(tmp_path, limit_bytes=1_000_000))
    assert [(event.kind, event.id_value) for event, _ in found] == [("apply_start", ""), ("apply_complete", "i-1")]
    assert {at.isoformat() for _, at in found if at is not None} == {"2026-11-21T07:43:57.800604+00:00"}


def test_last_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    path_in(tmp_path).write_text(line("apply_start") + line("apply_complete")[:-9])
    assert [event.kind for event, _ in steps(tmp_path, limit_bytes=1_000_000)] == ["apply_start"]


def test_no_more_is_read_than_the_limit(tmp_path: Path) -> None:
    one = line("apply_start")
    path_in(tmp_path).write_text(one * 10)
    assert len(list(steps(tmp_path, limit_bytes=len(one.encode()) * 3 + 5))) == 3


def test_no_file_is_no_step_and_a_link_is_not_followed(tmp_path: Path) -> None:
    assert list(steps(tmp_path, limit_bytes=100)) == []
    (tmp_path / "other").write_text(line("apply_start"))
    path_in(tmp_path).symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="loop|symbolic"):
        list(steps(tmp_path, limit_bytes=100_000))


def test_follower_begins_where_the_file_ended_and_waits_longer_while_nothing_comes(tmp_path: Path) -> None:
    path_in(tmp_path).write_text("before\n")
    transcript = Transcript(path_in(tmp_path))
    try:
        assert transcript.unread_bytes() == 0
        pauses = []
        for _ in range(8):
            transcript.looked(found=False)
            pauses.append(transcript.seconds_to_next_look())
        assert pauses[0] < pauses[-1] <= 0.064
        transcript.looked(found=True)
        assert transcript.seconds_to_next_look() <= 0.004
        path_in(tmp_path).open("a").write("after\n")
        assert transcript.unread_bytes() == len("after\n")
    finally:
        transcript.close()
