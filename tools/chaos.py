#!/usr/bin/env python3
"""Kill the parts of a running Sluice at random moments and judge what is left; one line of JSON last.

Exit 1 when something is lost, stuck or done twice. The seed is printed first: with it, the same kills come in the same
order (what they meet is up to the machine).
"""

import argparse
import json
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.chaos.storm import storm


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="seed of all random choices; default: a random one")
    parser.add_argument("--kills", type=int, default=220, help="how many kills (default 220)")
    parser.add_argument("--minutes", type=float, default=18, help="over how many minutes, about (default 18)")
    parser.add_argument("--managed", type=int, default=5, help="workspaces with the managed state backend (default 5)")
    parser.add_argument("--local", type=int, default=1, help="workspaces with the local state backend (default 1)")
    parser.add_argument("--logs", type=Path, default=None, help="directory to copy the parts' logs to")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(2**32)
    say(f"seed {seed}: again with `make chaos SEED={seed} KILLS={given.kills} MINUTES={given.minutes:g}`")
    options = storm.Options(
        seed=seed,
        kills=given.kills,
        seconds=given.minutes * 60,
        managed=given.managed,
        local=given.local,
        keep=given.logs,
    )
    found = storm.run(options, say)
    for violation in found["violations"]:
        say(f"violation: {violation}")
    say(
        f"{found['journal']} resources made: {found['in_state_version']} in state versions, "
        f"{found['in_errored_state']} in captured states, {found['on_recovery_list']} on recovery lists, "
        f"{found['missing']} missing"
    )
    print(json.dumps(found))
    return 1 if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
