"""Why a run failed, as the control plane keeps it: masked, and no longer than people read it.

An engine may complain of each of ten thousand resources, in a mebibyte each; the log has all of it.
"""

from collections.abc import Sequence
from typing import Any

from app.core.errors import AppError
from app.core.masking import Masker
from app.runner.port import Failure, Phase, Timing

MOST_TEXT = 16 * 1024
"""Characters of one text."""
MOST_DIAGNOSTICS = 100
_MOST_IN_ALL = 256 * 1024


def words(error: AppError, masker: Masker) -> str:
    """Return what an error says, as people may see it."""
    return _cut(masker.shown(error.detail))


def failure(
    error: AppError,
    phase: Phase,
    masker: Masker,
    *,
    timings: tuple[Timing, ...] = (),
    resources_applied: int | None = None,
    resources_total: int | None = None,
) -> Failure:
    """Return why a run failed: the error's words, and its diagnostics, the errors first where they are too many."""
    return Failure(
        phase=phase,
        code=error.code,
        message=words(error, masker),
        exit_code=error.fields.get("exit_code"),
        diagnostics=tuple(_shown(list(error.fields.get("diagnostics", ())), masker)),
        resources_applied=resources_applied,
        resources_total=resources_total,
        timings=timings,
    )


def _shown(diagnostics: Sequence[dict[str, Any]], masker: Masker) -> list[dict[str, Any]]:
    chosen = list(diagnostics)
    if len(chosen) > MOST_DIAGNOSTICS:
        chosen.sort(key=lambda found: found.get("severity") != "error")
    found: list[dict[str, Any]] = []
    left = _MOST_IN_ALL
    for diagnostic in chosen[:MOST_DIAGNOSTICS]:
        shown = {
            key: _cut(value) if isinstance(value, str) else value
            for key, value in masker.shown_value(diagnostic).items()
        }
        left -= sum(len(value) for value in shown.values() if isinstance(value, str))
        if left < 0 and found:
            break
        found.append(shown)
    if len(found) < len(chosen):
        more = f"{len(chosen) - len(found)} more are in the log."
        found.append({"message": more, "severity": "warning", "summary": more})
    return found


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"
