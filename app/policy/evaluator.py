"""Runs in a child of its own: evaluates Rego with regorus. Imports nothing of Sluice; started as a script.

Standard input: one line of JSON, ``{"timeout_seconds", "forbidden", "sets": [{"files", "data", "versions",
"query"}], "documents": [bytes of each]}``, then the input documents as JSON, one after the other. Every set is
evaluated over every document; these are the tasks, numbered in that order. Standard output: one line of JSON when a
task is begun, one when it is done: ``{"task": i, "begun": true}``, ``{"task": i, "version", "values", "seconds"}`` or
``{"task": i, "kind", "error"}``, where kind is ``missing``, ``syntax`` or ``evaluation``. A task that takes too long
ends the whole process by SIGALRM; the parent sees which it was, and starts again with the others.
"""

import json
import os
import signal
import sys
import time
from typing import Any


class Forbidden(Exception):
    """A policy called a builtin that is not allowed."""


def main() -> None:
    """Read, evaluate, answer."""
    # The engine may print; only answers belong on the descriptor that the parent reads.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(document: dict[str, Any]) -> None:
        output.write(json.dumps(document) + "\n")
        output.flush()

    order = json.loads(sys.stdin.buffer.readline())
    documents = [sys.stdin.buffer.read(size).decode() for size in order["documents"]]
    tasks = range(len(order["sets"]) * len(documents))
    try:
        import regorus
    except BaseException as error:
        for task in tasks:
            answer({"task": task, "kind": "missing", "error": f"regorus can't be loaded: {words(error)}"})
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    blank = regorus.Engine()
    for name, arity in order["forbidden"]:
        blank.add_extension(name, arity, refuse(name))
    blank.set_gather_prints(True)
    shared = len(documents) == 1
    if shared:
        # Copies of an engine share the document, so that it is read once for all sets.
        signal.setitimer(signal.ITIMER_REAL, order["timeout_seconds"])
        try:
            blank.set_input_json(documents[0])
        except BaseException as error:
            for task in tasks:
                answer({"task": task, "kind": "evaluation", "error": words(error)})
            return
    for position, policy_set in enumerate(order["sets"]):
        loaded: Loaded | None = None
        for task, document in enumerate(documents, start=position * len(documents)):
            answer({"task": task, "begun": True})
            signal.setitimer(signal.ITIMER_REAL, order["timeout_seconds"])
            started = time.monotonic()
            loaded = loaded or Loaded(blank, policy_set)
            result = loaded.evaluate(None if shared else document)
            signal.setitimer(signal.ITIMER_REAL, 0)
            answer({"task": task, "seconds": time.monotonic() - started, **result})


def refuse(name: str) -> Any:
    """Return a function that takes the place of a forbidden builtin."""

    def refused(*_: Any) -> None:
        raise Forbidden(f"{name} is not allowed in policies")

    return refused


class Loaded:
    """A policy set that was parsed in the first Rego version that all its files are written in."""

    def __init__(self, blank: Any, policy_set: dict[str, Any]) -> None:
        self._query = policy_set["query"]
        self._engine: Any = None
        self._version = 0
        self._failure: dict[str, Any] | None = None
        for version in policy_set["versions"]:
            try:
                self._engine, self._version = parse(blank, policy_set["files"], version), version
                break
            except BaseException as error:
                self._failure = self._failure or {"kind": "syntax", "error": words(error)}
        if self._engine is None:
            return
        self._failure = None
        try:
            if policy_set["data"] is not None:
                self._engine.add_data_json(policy_set["data"])
        except BaseException as error:
            self._failure = {"kind": "evaluation", "error": words(error)}

    def evaluate(self, document: str | None) -> dict[str, Any]:
        """Evaluate over a document; None takes the one that the engine has."""
        if self._failure is not None:
            return self._failure
        try:
            engine = self._engine
            if document is not None:
                # A copy, so that nothing of one evaluation, least of all of a failed one, is left for the next.
                engine = engine.clone()
                engine.set_input_json(document)
            answer = json.loads(engine.eval_query_as_json(self._query))
            return {"version": self._version, "values": answer["result"][0]["expressions"][0]["value"]}
        except BaseException as error:
            return {"kind": "evaluation", "error": words(error)}


def parse(blank: Any, files: dict[str, str], version: int) -> Any:
    """Return an engine that has parsed the files as Rego ``version``."""
    engine = blank.clone()
    engine.set_rego_v0(version == 0)
    for name in sorted(files):
        engine.add_policy(name, files[name])
    return engine


def words(error: BaseException) -> str:
    """Return what the error says, without the engine's own backtrace."""
    return (str(error).split("Stack backtrace:")[0].strip() or type(error).__name__)[:2000]


if __name__ == "__main__":
    main()
