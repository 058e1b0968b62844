"""Nobody waits long for who is frozen: transactions that others wait for and that nobody carries on are ended.

A process that stops in the middle of a transaction (SIGSTOP, a machine that swaps or hangs) keeps its locks as long as
its connection lives, and the database can't tell it from one that thinks. Each process that serves or works looks every
second whether anybody waits for such a one, however long the line between them.
"""

import logging
from functools import partial
from typing import Any

from sqlalchemy import Connection, text

from app.core.db import APPLICATION, HALT_APPLICATION, engine
from app.core.rounds import Rounds

IDLE_SECONDS = 4.0
"""Whose transaction does nothing for so long while somebody waits for it is taken for frozen."""
UNREAD_SECONDS = 15.0
"""So is one that has not read an answer for so long: the database counts it as at work, and no time-out ends it."""
LOOK_SECONDS = 1.0
# Only our own processes': who holds a lock by hand, or migrates, does so knowingly.
_FROZEN = """
    holder.application_name in (:own, :halts) and holder.usename = current_user
    and holder.datname = current_database()
    and (holder.state like 'idle in transaction%'
           and clock_timestamp() - holder.state_change > make_interval(secs => :idle)
         or holder.state = 'active' and holder.wait_event = 'ClientWrite'
           and clock_timestamp() - holder.query_start > make_interval(secs => :unread))
"""
_END = text(
    f"""
    select pg_terminate_backend(holder.pid), holder.application_name from pg_stat_activity holder
    where {_FROZEN}
      and exists (select from pg_stat_activity waiting
                  where waiting.wait_event_type = 'Lock' and holder.pid = any(pg_blocking_pids(waiting.pid)))
    """  # noqa: S608 - put together of constants
)
_END_HOLDER = text(
    f"""
    select pg_terminate_backend(holder.pid, :gone_within)
    from pg_locks held join pg_stat_activity holder on holder.pid = held.pid
    where held.locktype = 'advisory' and held.granted and held.objsubid = 2
      and held.database = (select oid from pg_database where datname = current_database())
      and held.classid = cast(:lock_class as integer)::oid and held.objid = hashtext(:key)::oid
      and {_FROZEN}
    """  # noqa: S608 - put together of constants
)
_GONE_WITHIN_MILLISECONDS = 2000
_log = logging.getLogger(__name__)


def end_frozen(
    connection: Connection, *, idle_seconds: float = IDLE_SECONDS, unread_seconds: float = UNREAD_SECONDS
) -> int:
    """End the transactions of this installation that somebody waits for and that nobody carries on; return how many.

    What they did is rolled back: it has not happened, and whoever wakes is told so.
    """
    ended = len(connection.execute(_END, _facts(idle_seconds, unread_seconds)).all())
    if ended:
        _log.warning("transactions of frozen processes were ended: others waited for them", extra={"count": ended})
    return ended


def end_frozen_holder(connection: Connection, lock_class: int, key: str) -> bool:
    """End who holds the advisory lock of a class and a text's hash and is frozen; return whether anybody was ended.

    For locks that are tried and not waited for, whose frozen holder ``end_frozen`` does not find. Returns once the lock
    is free.
    """
    facts = {"lock_class": lock_class, "key": key, "gone_within": _GONE_WITHIN_MILLISECONDS}
    ended = connection.execute(_END_HOLDER, facts | _facts(IDLE_SECONDS, UNREAD_SECONDS)).all()
    if ended:
        _log.warning("a frozen process that held a lock was ended", extra={"lock_class": lock_class, "key": key})
    return bool(ended)


def _facts(idle_seconds: float, unread_seconds: float) -> dict[str, Any]:
    return {"own": APPLICATION, "halts": HALT_APPLICATION, "idle": idle_seconds, "unread": unread_seconds}


class FrozenWatch(Rounds):
    """Ends frozen transactions between ``start`` and ``stop``, from a thread of its own."""

    def __init__(self, *, look_seconds: float = LOOK_SECONDS, idle_seconds: float = IDLE_SECONDS) -> None:
        super().__init__(
            "frozen-watch",
            partial(_look, idle_seconds),
            seconds=look_seconds,
            on_failure="frozen transactions can't be looked for now",
        )


def _look(idle_seconds: float) -> None:
    with engine("watch").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        end_frozen(connection, idle_seconds=idle_seconds)
