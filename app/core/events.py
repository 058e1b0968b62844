"""Typed facts from a lower slice to a higher one, handled in the same transaction.

``registry`` connects the subscribers. A fact whose handling would climb the lock order is sent as a job instead.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.orm import Session


class Fact:
    """Base of all facts: frozen dataclasses that name what happened (``VariablesMoved``)."""


F = TypeVar("F", bound=Fact)
_handlers: dict[type[Fact], list[Callable[[Session, Any], None]]] = defaultdict(list)


def subscribe(fact_type: type[F], handler: Callable[[Session, F], None]) -> None:
    """Call ``handler(session, fact)`` for each published fact of exactly ``fact_type``; twice is once."""
    if handler not in _handlers[fact_type]:
        _handlers[fact_type].append(handler)


def publish(session: Session, fact: Fact) -> None:
    """Hand ``fact`` to its subscribers, in the order they subscribed, within the caller's transaction."""
    for handler in _handlers.get(type(fact), ()):
        handler(session, fact)
