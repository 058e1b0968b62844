"""Puts the guards into every interpreter that is started with this directory on its PYTHONPATH."""

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("sluice_test_guards", Path(__file__).parent.parent / "guards.py")
if _spec is not None and _spec.loader is not None:
    _guards = importlib.util.module_from_spec(_spec)
    sys.modules[_spec.name] = _guards
    _spec.loader.exec_module(_guards)
    _guards.install()
