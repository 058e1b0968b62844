"""Runs in a child of its own: evaluates Rego with regorus. Imports nothing of Sluice; started as a script.

Standard input: one line of JSON, ``{"timeout_seconds", "forbidden", "sets": [{"files", "data", "versions",
"query"}]}``, then the input document as JSON. Standard output: one line of JSON when a set is begun, one when it is
done: ``{"set": i, "begun": true}``, ``{"set": i, "version", "values", "seconds"}`` or ``{"set": i, "kind", "error"}``,
where kind is ``missing``, ``syntax`` or ``evaluation``. A set that takes too long ends the whole process by SIGALRM;
the parent sees which it was, and starts again with the others.
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
    document = sys.stdin.buffer.read().decode()
    try:
        import regorus
    except BaseException as error:
        for index in range(len(order["sets"])):
            answer({"set": index, "kind": "missing", "error": f"regorus can't be loaded: {words(error)}"})
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    blank = regorus.Engine()
    for name, arity in order["forbidden"]:
        blank.add_extension(name, arity, refuse(name))
    blank.set_gather_prints(True)
    for index, policy_set in enumerate(order["sets"]):
        answer({"set": index, "begun": True})
        signal.setitimer(signal.ITIMER_REAL, order["timeout_seconds"])
        started = time.monotonic()
        result = evaluate(blank, policy_set, document)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answer({"set": index, "seconds": time.monotonic() - started, **result})


def refuse(name: str) -> Any:
    """Return a function that takes the place of a forbidden builtin."""

    def refused(*_: Any) -> None:
        raise Forbidden(f"{name} is not allowed in policies")

    return refused


def evaluate(blank: Any, policy_set: dict[str, Any], document: str) -> dict[str, Any]:
    """Evaluate one policy set; the first Rego version that all its files parse in is used."""
    first_error = ""
    for version in policy_set["versions"]:
        try:
            engine = load(blank, policy_set, version)
        except BaseException as error:
            first_error = first_error or words(error)
            continue
        try:
            if policy_set["data"] is not None:
                engine.add_data_json(policy_set["data"])
            engine.set_input_json(document)
            answer = json.loads(engine.eval_query_as_json(policy_set["query"]))
            return {"version": version, "values": answer["result"][0]["expressions"][0]["value"]}
        except BaseException as error:
            return {"kind": "evaluation", "error": words(error)}
    return {"kind": "syntax", "error": first_error}


def load(blank: Any, policy_set: dict[str, Any], version: int) -> Any:
    """Return an engine that has parsed the set's files as Rego ``version``."""
    engine = blank.clone()
    engine.set_rego_v0(version == 0)
    for name in sorted(policy_set["files"]):
        engine.add_policy(name, policy_set["files"][name])
    return engine


def words(error: BaseException) -> str:
    """Return what the error says, without the engine's own backtrace."""
    return (str(error).split("Stack backtrace:")[0].strip() or type(error).__name__)[:2000]


if __name__ == "__main__":
    main()
