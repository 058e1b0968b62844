"""Run as a process by the race test: pushes one spec a line of its input, and answers a line each."""

import json
import sys

import app.registry  # noqa: F401 - every table, as every process of the product has them
from app.core.permissions import Actor
from app.specs.schemas import validate_spec
from app.specs.service import persist_spec


def main() -> None:
    actor = Actor(id=sys.argv[2], kind="person", name="Racer", organization_id=sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        answer = persist_spec(validate_spec(json.loads(line)), actor=actor)
        told = {"created": answer.created, "version": answer.version.id, "number": answer.version.number}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
