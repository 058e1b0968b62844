"""Why a run failed, as the control plane keeps it: masked, and bounded however much an engine complains."""

from app.core.masking import Masker
from app.executor.errors import EngineFailed
from app.executor.lines import last_lines
from app.runner import failing

SECRET = "s3cret-value-that-nobody-sees"


def told(count: int, detail: str = "it did not work") -> EngineFailed:
    diagnostics = [
        {"message": f"Warning {n}", "severity": "warning", "summary": f"warning {n}", "detail": detail}
        for n in range(count)
    ]
    diagnostics.append({"message": "Error", "severity": "error", "summary": "the one", "detail": f"{detail} {SECRET}"})
    return EngineFailed(f"Error: the one\n{detail} {SECRET}", diagnostics=diagnostics, exit_code=1)


def test_failure_is_masked_and_whole_when_it_is_short() -> None:
    found = failing.failure(told(2), "planning", Masker([SECRET]))
    assert [item["summary"] for item in found.diagnostics] == ["warning 0", "warning 1", "the one"]
    assert found.message == "Error: the one\nit did not work ***"
    assert (found.phase, found.code, found.exit_code) == ("planning", "engine_failed", 1)


def test_failure_with_ten_thousand_diagnostics_tells_the_errors_and_how_many_more() -> None:
    found = failing.failure(told(10_000), "applying", Masker([SECRET]))
    assert len(found.diagnostics) == failing.MOST_DIAGNOSTICS + 1
    assert found.diagnostics[0]["detail"] == "it did not work ***"
    assert found.diagnostics[-1]["summary"] == "9901 more are in the log."


def test_failure_with_huge_texts_is_bounded() -> None:
    found = failing.failure(told(50, "x" * 1_000_000), "applying", Masker([SECRET]))
    assert len(found.model_dump_json()) < 400_000
    assert len(found.message) == failing.MOST_TEXT + 1


def test_last_lines_begin_where_a_line_does_so_that_no_value_is_cut_in_two() -> None:
    text = f"first {SECRET}\nsecond {SECRET}\nthird"
    assert last_lines(text, 500) == text
    for most in range(len(text)):
        end = last_lines(text, most)
        assert text.endswith(end)
        assert "cret" not in Masker([SECRET]).text(end)
    assert last_lines("a\nlast", 5) == "last"
    assert last_lines("x" * 50, 10) == ""
