"""Drafts: text that may become a policy set, checked before anything is made of it."""

import re
from collections.abc import Mapping, Sequence

from app.policy import service as policy
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import PolicyBundle
from app.rehearsal.schemas import DraftProblem

_AT = re.compile(
    r"(?:^|; |\n)\s*(?:-->\s*)?(?P<file>[A-Za-z0-9_][A-Za-z0-9_./-]*):(?P<line>[0-9]+)(?::[0-9]+)?(?::\s*|\s*$|\n)",
    re.MULTILINE,
)


def compiled(files: Mapping[str, str], data: str | None, field: str) -> PolicyBundle:
    """Return the bundle of a draft, compiled.

    Raises ``PolicySetInvalid`` whose ``errors`` name file and line (``<field>.files.<name>``, ``line 3: …``).
    """
    try:
        return policy.compile_draft(files, data)
    except PolicySetInvalid as error:
        reason = str(error.fields.get("reason") or error.detail)
        found = problems(reason, sorted(files))
        prefix = f"{field}." if field else ""
        raise PolicySetInvalid(
            error.detail,
            reason=reason,
            problems=[item.model_dump() for item in found],
            errors=[
                {
                    "field": f"{prefix}files.{item.file}" if item.file else f"{prefix}files",
                    "message": f"line {item.line}: {item.message}" if item.line is not None else item.message,
                }
                for item in found
            ],
        ) from None


def problems(reason: str, names: Sequence[str]) -> list[DraftProblem]:
    """Take what an engine or the review said apart: each problem with its file and line, where it names them."""
    found: list[DraftProblem] = []
    marks = [mark for mark in _AT.finditer(reason) if mark["file"] in names]
    head = reason[: marks[0].start()] if marks else reason
    if head.strip(" ;\n"):
        found.append(DraftProblem(file=None, line=None, message=head.strip(" ;\n")))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        text = reason[mark.end() : following.start() if following is not None else len(reason)].strip(" ;\n")
        found.append(DraftProblem(file=mark["file"], line=int(mark["line"]), message=text or reason.strip()))
    return found
