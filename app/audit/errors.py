"""Errors of the audit trail."""

from app.core.errors import AppError


class EvidenceInvalid(AppError):
    """Evidence that canonical JSON can't hold, so that it could never be chained; a fault of the caller's code."""

    code = "evidence_invalid"
    title = "The evidence can't be recorded"
