"""Errors of HCP Terraform's API, as it answers them; ``http_status`` and ``errors`` are its own words."""

from app.core.errors import AppError


class HcpError(AppError):
    """HCP Terraform refused a call. Base of all that it answers."""

    status = 502
    code = "hcp_refused"
    title = "HCP Terraform refused the call"


class HcpNotConfigured(AppError):
    """No token is set, so HCP Terraform can't be asked."""

    status = 409
    code = "hcp_not_configured"
    title = "HCP Terraform is not configured"


class HcpUnauthorized(HcpError):
    """The token is unknown, expired or revoked (401)."""

    code = "hcp_unauthorized"
    title = "HCP Terraform does not know the token"


class HcpForbidden(HcpError):
    """The token may not do this (403)."""

    code = "hcp_forbidden"
    title = "HCP Terraform does not permit it"


class HcpNotFound(HcpError):
    """It does not exist, or the token may not see it (404; HCP Terraform does not tell which)."""

    status = 404
    code = "hcp_not_found"
    title = "HCP Terraform has no such thing"


class HcpConflict(HcpError):
    """Its present state does not allow it: locked, or not in a state for this action (409)."""

    status = 409
    code = "hcp_conflict"
    title = "Its state in HCP Terraform does not allow it"


class HcpInvalid(HcpError):
    """HCP Terraform did not accept a value (400, 413, 422)."""

    status = 422
    code = "hcp_invalid"
    title = "HCP Terraform did not accept a value"


class HcpRateLimited(HcpError):
    """Too many calls, also after waiting (429); ``retry_after_seconds`` says how long it asks for."""

    status = 503
    code = "hcp_rate_limited"
    title = "HCP Terraform limits the calls"


class HcpUnavailable(HcpError):
    """It could not be reached, or failed (5xx), also after trying again where that is safe."""

    status = 503
    code = "hcp_unavailable"
    title = "HCP Terraform is not available now"


class HcpUnexpected(HcpError):
    """The answer is not what its documentation says."""

    code = "hcp_unexpected_answer"
    title = "HCP Terraform answered something unexpected"


ANSWERS: tuple[type[AppError], ...] = (
    HcpUnauthorized,
    HcpForbidden,
    HcpNotFound,
    HcpConflict,
    HcpInvalid,
    HcpUnexpected,
    HcpRateLimited,
    HcpUnavailable,
)
"""What may come of any call to HCP Terraform, for the routes that make one."""
