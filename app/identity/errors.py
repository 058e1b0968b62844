"""Errors of identity."""

from app.core.errors import AppError


class LoginRefused(AppError):
    """E-mail and password do not fit; which of them is wrong is not said."""

    status = 401
    code = "login_refused"
    title = "Not signed in"


class LinkUnusable(AppError):
    """The login link is unknown, used already, or has expired."""

    status = 401
    code = "login_link_unusable"
    title = "The login link can't be used"


class TooManyAttempts(AppError):
    """Too many failed logins; ``retry_after_seconds`` says when to come back."""

    status = 429
    code = "too_many_attempts"
    title = "Too many failed logins"


class CsrfHeaderMissing(AppError):
    """A change was asked for with the session cookie but without the header that only our own pages can send."""

    status = 403
    code = "csrf_header_missing"
    title = "The request did not come from Sluice's own page"


class NameTaken(AppError):
    """Another user, team, service account or organization has this name or e-mail."""

    status = 409
    code = "name_taken"
    title = "The name is taken"


class LastAdmin(AppError):
    """The change would leave the organization without anyone who can administer it."""

    status = 409
    code = "last_admin"
    title = "The organization needs an admin"


class BeyondOwnRights(AppError):
    """Someone tried to give, or to take from another, rights that they don't hold themselves."""

    status = 403
    code = "beyond_own_rights"
    title = "More rights than your own"


class TokenTooWide(AppError):
    """The wanted token may do more, or lives longer, than the credential that asks for it."""

    status = 403
    code = "token_too_wide"
    title = "The token would be too wide"
