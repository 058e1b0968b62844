"""The engine from PyPI: one fresh interpreter for all that a check or a rehearsal evaluates."""

import json
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.core.settings import Settings
from app.executor import gateway
from app.executor.commands import PythonEvaluatorCommand
from app.executor.environment import DEFAULT_PATH
from app.policy import evaluation, rego
from app.policy.evaluation import Evaluation, PolicySet

_EVALUATOR = Path(__file__).with_name("evaluator.py")
_START_SECONDS = 5.0
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_LEAST, _MOST, _MOST_DIGITS = -(2**63), 2**64 - 1, 20


class RegorusEngine:
    """The engine from PyPI, in one fresh interpreter for all sets of a check."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def name(self) -> str:
        """The engine and its version."""
        return f"regorus {_regorus_version()}"

    def evaluate(self, sets: Sequence[PolicySet], document: bytes) -> list[Evaluation]:
        """Evaluate in order; when the child dies over a set, that set gets the error and a new child takes the rest."""
        if (unheld := _unheld(document)) is not None:
            return [unheld] * len(sets)
        lacking = {index: error for index, item in enumerate(sets) if (error := _lacks(item)) is not None}
        return _insist(
            len(sets), lambda waiting: self._run([sets[index] for index in waiting], [document]), known=lacking
        )

    def evaluate_documents(self, policy_set: PolicySet, documents: Sequence[bytes]) -> list[Evaluation]:
        """Evaluate in order; the set is read once a child, and a document over which it dies gets the error."""
        if (error := _lacks(policy_set)) is not None:
            return [error] * len(documents)
        unheld = {index: error for index, document in enumerate(documents) if (error := _unheld(document)) is not None}
        return _insist(
            len(documents),
            lambda waiting: self._run([policy_set], [documents[index] for index in waiting]),
            known=unheld,
        )

    def _run(self, sets: Sequence[PolicySet], documents: Sequence[bytes]) -> "_Round":
        """Evaluate every set over every document in one child, in that order."""
        settings = self._settings
        timeout = settings.policy_timeout_seconds
        count = len(sets) * len(documents)
        order = {
            "timeout_seconds": timeout,
            "forbidden": [
                [name, arity]
                for name, arity in _FORBIDDEN_ARITIES.items()
                if name not in settings.policy_allowed_builtins
            ],
            "sets": [
                {
                    "files": item.bundle.files,
                    "data": item.bundle.data,
                    "versions": item.versions,
                    "query": item.query(),
                }
                for item in sets
            ],
            "documents": [len(document) for document in documents],
        }
        launch = gateway.Launch(
            Path(sys.executable),
            PythonEvaluatorCommand(str(_EVALUATOR)),
            {"PATH": DEFAULT_PATH, "HOME": "/nonexistent", "RUST_BACKTRACE": "0"},
            Path("/"),
            stdin=b"".join((json.dumps(order).encode(), b"\n", *documents)),
        )
        limits = evaluation.limits(settings, timeout * count + _START_SECONDS)
        ended = gateway.run(launch, limits=limits, capture_stdout=True)
        answers, begun = _read_lines(ended.stdout, count)
        if len(answers) == count:
            return _Round(answers)
        guilty = begun if begun is not None and begun not in answers else None
        if ended.exceeded == "timeout" or ended.signal == signal.SIGALRM:
            return _Round(answers, guilty, Evaluation(error=evaluation.late(settings), is_late=True))
        if ended.exceeded == "output" and answers:
            # What all of them said together was too much; the next child has room for those that are left.
            return _Round(answers)
        return _Round(answers, guilty, Evaluation(error=evaluation.crash("regorus", ended, settings)))


@dataclass(frozen=True)
class _Round:
    """What one child answered, by position; and, when it did not end well, whom to blame (None: all) and for what."""

    answers: Mapping[int, Evaluation]
    guilty: int | None = None
    blame: Evaluation | None = None


def _lacks(policy_set: PolicySet) -> Evaluation | None:
    missing = sorted(policy_set.reaching & _LACKING)
    if not missing:
        return None
    words = f"{', '.join(missing)}: regorus has no such builtin; install opa, or do without it"
    return Evaluation(error=words, is_syntax=True)


def _unheld(document: bytes) -> Evaluation | None:
    """Return an error for a document with an integer that regorus would round: a policy might take it for another."""
    if _LONG_NUMBER.search(document) is None:
        return None
    try:
        json.loads(document, parse_int=_held)
    except OverflowError as error:
        return Evaluation(error=f"the input holds {error}, which regorus can't hold exactly; install opa")
    except ValueError:
        pass  # not JSON, which the engine tells
    return None


def _held(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or not _LEAST <= int(digits) <= _MOST:
        raise OverflowError(digits[:50])
    return 0


def _insist(
    count: int, run: Callable[[list[int]], _Round], known: Mapping[int, Evaluation] | None = None
) -> list[Evaluation]:
    """Run children until all of ``count`` have an answer; each answers one at least, or is blamed."""
    answers: dict[int, Evaluation] = dict(known or {})
    waiting = [index for index in range(count) if index not in answers]
    while waiting:
        found = run(waiting)
        answers |= {waiting[position]: answer for position, answer in found.answers.items()}
        if found.blame is not None:
            guilty = waiting if found.guilty is None else [waiting[found.guilty]]
            answers |= dict.fromkeys((index for index in guilty if index not in answers), found.blame)
        waiting = [index for index in waiting if index not in answers]
    return [answers[index] for index in range(count)]


_FORBIDDEN_ARITIES = {"http.send": 1, "opa.runtime": 0, "rand.intn": 2, "time.now_ns": 0, "uuid.rfc4122": 1}
"""What regorus has of the forbidden builtins, and how many arguments each takes."""

_LACKING = rego.FORBIDDEN_BUILTINS - {
    "json.match_schema",
    "json.verify_schema",
    "opa.runtime",
    "rand.intn",
    "time.now_ns",
    "trace",
    "uuid.rfc4122",
}
"""What regorus does not have of the builtins that may be allowed; its ``http.send`` sends nothing."""


@lru_cache(maxsize=1)
def _regorus_version() -> str:
    try:
        return version("gordon-to-regorus")
    except PackageNotFoundError:
        return "(not installed)"


def _read_lines(output: bytes, count: int) -> tuple[dict[int, Evaluation], int | None]:
    """Return the answers that a child wrote, by position, and the last one that it began."""
    answers: dict[int, Evaluation] = {}
    begun: int | None = None
    for line in output.splitlines():
        try:
            record = json.loads(line)
            index = int(record["task"])
            if not 0 <= index < count:
                continue
        except (ValueError, LookupError, TypeError):
            continue
        if record.get("begun"):
            begun = index
        elif "values" in record:
            answers[index] = Evaluation(
                values=record["values"], rego_version=record["version"], seconds=float(record["seconds"])
            )
        else:
            answers[index] = Evaluation(
                error=str(record.get("error")),
                is_syntax=record.get("kind") == "syntax",
                seconds=float(record.get("seconds", 0.0)),
            )
    return answers, begun
