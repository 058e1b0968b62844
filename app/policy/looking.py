"""Looks at the sources of attached policy sets for something newer. It is told, and never taken: only a sync moves."""

import logging
from datetime import timedelta

from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.settings import get_settings
from app.policy import repository, sources

_AT_ONCE = 50
_log = logging.getLogger(__name__)


def look_at_sources() -> int:
    """Look at what is due by ``SLUICE_POLICY_SOURCE_CHECK_MINUTES``; return how many attachments have something newer.

    Each source is read once for all attachments to it, without a transaction. A source that can't be read is noted
    with the reason, and looked at again when it is due.
    """
    minutes = get_settings().policy_source_check_minutes
    if not minutes:
        return 0
    with unit_of_work() as session:
        due = repository.sources_to_look_at(session, clock.now() - timedelta(minutes=minutes), _AT_ONCE)
    newer = 0
    for uri in due:
        began = clock.now()
        digest: str | None = None
        commit: str | None = None
        error: str | None = None
        try:
            digest, commit = sources.peek(uri)
        except AppError as failure:
            error = failure.detail
            _log.info("The source of a policy set could not be looked at: %s", error)
        with unit_of_work() as session:
            newer += repository.note_look(session, uri, began, digest, commit, error)
    return newer
