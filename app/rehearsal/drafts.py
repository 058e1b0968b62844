"""Drafts: text that may become a policy set, checked before anything is made of it."""

import re
from collections.abc import Mapping

from app.core.permissions import Actor, Permission
from app.policy import service as policy
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import PolicyBundle
from app.rehearsal.schemas import DraftProblem

_NAME = r"(?P<file>[A-Za-z0-9_][A-Za-z0-9_./-]*)"
_AT = re.compile(rf"(?:^|; )\s*(?:-->\s*)?{_NAME}(?::(?P<line>[0-9]+))?(?::[0-9]+)?(?::\s+|\s*$)", re.MULTILINE)
_OF_PACKAGE = re.compile(r"^package (?P<package>\S+) has ")
_EXCERPT = re.compile(r"\A.*^error: ", re.MULTILINE | re.DOTALL)
"""What regorus shows of the text before it says what is wrong."""


def compiled(files: Mapping[str, str], data: str | None, field: str) -> PolicyBundle:
    """Return the bundle of a draft, compiled.

    Raises ``PolicySetInvalid`` whose ``problems`` and ``errors`` name file and line; the latter below ``field``.
    """
    try:
        return policy.compile_draft(files, data)
    except PolicySetInvalid as error:
        reason = str(error.fields.get("reason") or error.detail)
        found = problems(reason, files)
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


def fetched(actor: Actor, uri: str | None) -> PolicyBundle | None:
    """Return the set at an address of git, fetched and compiled; None for any other, which the server has.

    Raises ``Forbidden`` without the right to attach it, and what a set that can't be used raises.
    """
    if uri is None or not policy.is_fetched(uri):
        return None
    # From wherever is named, with the server's own key: as attaching it would.
    actor.require(Permission.POLICIES_WRITE)
    return policy.compiled_set(actor.organization_id, uri)


def problems(reason: str, files: Mapping[str, str]) -> list[DraftProblem]:
    """Take what an engine or the review said apart: each problem with its file and line, where that is known."""
    marks = [mark for mark in _AT.finditer(reason) if mark["file"] in files]
    head = (reason[: marks[0].start()] if marks else reason).strip(" ;\n")
    found = [_of_package(part, files) for part in head.split("; ") if part]
    ends = [mark.start() for mark in marks[1:]] + [len(reason)]
    for mark, end in zip(marks, ends, strict=False):
        text = _EXCERPT.sub("", reason[mark.end() : end]).strip(" ;\n")
        line = int(mark["line"]) if mark["line"] else None
        found.append(DraftProblem(file=mark["file"], line=line, message=text or reason.strip()))
    return found


def _of_package(message: str, files: Mapping[str, str]) -> DraftProblem:
    named = _OF_PACKAGE.match(message)
    if named is not None:
        declared = re.compile(rf"^[ \t]*package[ \t]+{re.escape(named['package'])}[ \t]*(?:#.*)?$", re.MULTILINE)
        for name in sorted(files):
            if (at := declared.search(files[name])) is not None:
                line = files[name].count("\n", 0, at.start()) + 1
                return DraftProblem(file=name, line=line, message=message)
    return DraftProblem(file=None, line=None, message=message)
