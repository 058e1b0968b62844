"""A process that does one thing of Sluice and is killed at one point of it: SIGKILL, and nothing is tidied.

It has this process's environment, so it works on the same database, artifacts and master key.
"""

import signal
import subprocess
import sys
from typing import Literal

from tests.support.guards import ROOT, spawning

SECONDS = 60
_PROGRAM = """
import importlib, os, signal, sys
moment, point, call, *arguments = sys.argv[1:]
from app import registry
registry.connect()
module, _, name = point.rpartition(".")
place = importlib.import_module(module)
real = getattr(place, name)

def deadly(*given, **named):
    if moment == "after":
        real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(place, name, deadly)
module, _, name = call.rpartition(".")
getattr(importlib.import_module(module), name)(*arguments)
"""


def die(moment: Literal["before", "after"], point: str, call: str, *arguments: str) -> None:
    """Have a process call ``call`` (module.function) and die before or after it calls ``point``; it must."""
    with spawning("a process that is killed"):
        ended = subprocess.run(
            [sys.executable, "-c", _PROGRAM, moment, point, call, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert ended.returncode == -signal.SIGKILL, f"{ended.returncode}: {ended.stderr[-3000:]}"
