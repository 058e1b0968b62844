"""The playground: a policy set, a draft above all, over one plan or over an input of one's own, at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.core.db import unit_of_work
from app.core.permissions import Actor, Permission
from app.policy import service as policy
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import PolicyBundle, PolicyDocument
from app.rehearsal import drafts
from app.rehearsal.errors import PlaygroundBusy, RehearsalInvalid
from app.rehearsal.schemas import ASSUMPTIONS, EvaluationIn, EvaluationOut
from app.runs import service as runs

AT_ONCE = 2
PATIENCE_SECONDS = 5.0
_places = threading.BoundedSemaphore(AT_ONCE)


def input_of(actor: Actor, run_id: str) -> PolicyDocument:
    """Return the document that policies see of a run's plan, sensitive values replaced.

    Raises ``RunNotFound``, also while there is no plan, ``PlanRemoved``, and ``PlaygroundBusy``: a plan may be large.
    """
    with place():
        return _document(actor, run_id)


def _document(actor: Actor, run_id: str) -> PolicyDocument:
    with unit_of_work() as session:
        source = runs.past_input(session, actor.organization_id, run_id)
    return source.document()


def evaluate(actor: Actor, wanted: EvaluationIn) -> EvaluationOut:
    """Evaluate a policy set over one input. What is wrong with its text is told in the answer, by file and line.

    Opens its own transaction and holds none while the engine evaluates. Raises ``RehearsalInvalid`` without an input or
    a policy set, or with two, what ``input_of`` raises, what a set that can't be read from its address raises,
    ``PlaygroundBusy``, and ``ToolMissing`` when the engine is missing.
    """
    _check(actor, wanted)
    document: PolicyDocument | dict[str, Any] = wanted.input if wanted.input is not None else {}
    try:
        fetched = drafts.fetched(actor, wanted.policy_set_uri)
        with place():
            if wanted.run_id is not None:
                document = _document(actor, wanted.run_id)
            bundle = fetched or _compiled(actor, wanted)
            [said] = policy.evaluate_many(bundle, [document])
    except PolicySetInvalid as error:
        reason = str(error.fields.get("reason") or error.detail)
        return _answer(wanted, "error", reason, policy.engine_name())
    return EvaluationOut(
        outcome=said.outcome,
        findings=list(said.findings),
        error=said.error,
        problems=drafts.problems(said.error, bundle.files) if said.error is not None else [],
        values=said.values,
        policy_engine=said.policy_engine,
        duration_ms=round(said.duration_ms),
        assumptions=_assumptions(wanted),
    )


def _check(actor: Actor, wanted: EvaluationIn) -> None:
    if (wanted.run_id is None) == (wanted.input is None):
        raise RehearsalInvalid.of_field("run_id", "give a run_id or an input, and not both")
    if (wanted.files is None) == (wanted.policy_set_uri is None):
        raise RehearsalInvalid.of_field("files", "give files or a policy_set_uri, and not both")
    if wanted.files is None and wanted.data is not None:
        raise RehearsalInvalid.of_field("data", "it belongs to files; the set at policy_set_uri has its own")
    if wanted.run_id is not None:
        actor.require(Permission.RUNS_READ)


def _compiled(actor: Actor, wanted: EvaluationIn) -> PolicyBundle:
    if wanted.files is not None:
        return drafts.compiled(wanted.files, wanted.data, "")
    return policy.compiled_set(actor.organization_id, wanted.policy_set_uri or "")


def _answer(wanted: EvaluationIn, outcome: Any, reason: str, engine: str) -> EvaluationOut:
    return EvaluationOut(
        outcome=outcome,
        findings=[],
        error=reason,
        problems=drafts.problems(reason, wanted.files or {}),
        values={},
        policy_engine=engine,
        duration_ms=0,
        assumptions=_assumptions(wanted),
    )


def _assumptions(wanted: EvaluationIn) -> list[str]:
    return list(ASSUMPTIONS) if wanted.run_id is not None else []


@contextmanager
def place() -> Iterator[None]:
    """Hold one of the few places in which a draft takes a processor. Raises ``PlaygroundBusy``."""
    if not _places.acquire(timeout=PATIENCE_SECONDS):
        raise PlaygroundBusy(f"{AT_ONCE} drafts are tried on this server now, and each takes a processor. Try again.")
    try:
        yield
    finally:
        _places.release()
