#!/usr/bin/env python3
"""Make the checkout ready: ``.venv`` from the locks, the frontend's packages, the built frontend.

Each part is skipped when what it was made from has not changed since. Standard library only.
"""

import argparse
import compileall
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
FRONTEND = ROOT / "frontend"
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20


class SetupError(Exception):
    """The machine lacks something; the message says what to do."""


def digest(files: Iterable[Path], *extra: str) -> str:
    """Return a digest over names and contents of ``files``, and ``extra``."""
    result = hashlib.sha256("\0".join(extra).encode())
    for file in sorted(files):
        result.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return result.hexdigest()


def is_current(stamp: Path, value: str) -> bool:
    """Whether ``stamp`` says that ``value`` was done."""
    return stamp.is_file() and stamp.read_text() == value


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command; raise ``SetupError`` when it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        raise SetupError(
            f"`{Path(command[0]).name} {' '.join(map(str, command[1:4]))} …` failed (exit {done.returncode})."
        )


def check_python() -> None:
    """Refuse a Python that is too old, and one without venv."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {sys.version_info.major}.{sys.version_info.minor} is too old: Sluice needs 3.11 or later. "
            "Name one: make PYTHON=python3.12 …"
        )


def install_python(lock_name: str) -> None:
    """Have ``.venv`` with the packages of a lock, Sluice itself in editable form, and its bytecode."""
    check_python()
    lock = ROOT / lock_name
    stamp = VENV / ".sluice-lock"
    wanted = {name: digest([ROOT / name, ROOT / "pyproject.toml"], sys.version, str(VENV)) for name in locks()}
    current = stamp.read_text().split() if stamp.is_file() else []
    # The development lock holds everything of the other one, so it satisfies both.
    satisfied = wanted[lock_name] in current or wanted["requirements-dev.lock"] in current
    if not satisfied or not (VENV / "bin" / "sluice").is_file():
        if not (VENV / "bin" / "python").exists():
            try:
                run(sys.executable, "-m", "venv", VENV)
            except SetupError as error:
                raise SetupError(f"{error} Debian and Ubuntu keep it apart: apt install python3-venv.") from error
        pip = (VENV / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        run(*pip, "install", "--quiet", "--require-hashes", "--requirement", lock)
        run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
        run(VENV / "bin" / "python", "-m", "compileall", "-q", "-j", "0", VENV / "lib")
        stamp.write_text(wanted[lock_name] + "\n")
    compile_bytecode()


def locks() -> tuple[str, str]:
    """Return the names of the two locks."""
    return "requirements.lock", "requirements-dev.lock"


def compile_bytecode() -> None:
    """Byte-compile what starts with Sluice: with PYTHONDONTWRITEBYTECODE set, each start would compile it anew."""
    python = VENV / "bin" / "python"
    if Path(sys.prefix).resolve() == VENV.resolve():
        compileall.compile_dir(str(ROOT / "app"), quiet=2)
    else:
        run(python, "-m", "compileall", "-q", "-j", "0", "app")


def check_node() -> None:
    """Refuse a Node that is missing or too old."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise SetupError("Node and npm are needed to build the web UI: install Node 20 or later.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        raise SetupError(f"Node {version or 'of unknown version'} is too old: install Node {OLDEST_NODE} or later.")


def install_frontend() -> None:
    """Have the frontend's packages as its lock says."""
    lock = FRONTEND / "package-lock.json"
    if not lock.is_file():
        return
    check_node()
    stamp = FRONTEND / "node_modules" / ".sluice-lock"
    wanted = digest([lock, FRONTEND / "package.json"])
    if not is_current(stamp, wanted):
        run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=FRONTEND)
        stamp.write_text(wanted)


def frontend_sources() -> list[Path]:
    """Return every file that the built frontend is made from."""
    top = [file for file in FRONTEND.iterdir() if file.is_file()]
    return top + [file for part in ("src", "public") for file in (FRONTEND / part).rglob("*") if file.is_file()]


def build_frontend() -> None:
    """Have ``frontend/dist`` built from the present sources."""
    if not (FRONTEND / "package.json").is_file():
        return
    install_frontend()
    stamp = FRONTEND / "dist" / ".sluice-sources"
    wanted = digest(frontend_sources())
    if not is_current(stamp, wanted):
        run("npm", "run", "--silent", "build", cwd=FRONTEND)
        stamp.write_text(wanted)


PARTS = {
    "python": lambda: install_python("requirements.lock"),
    "python-dev": lambda: install_python("requirements-dev.lock"),
    "frontend-packages": install_frontend,
    "frontend": build_frontend,
}


def main() -> int:
    """Do the named parts; exit 1 with a sentence when one can't be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="+", choices=PARTS)
    for part in parser.parse_args().part:
        try:
            PARTS[part]()
        except SetupError as error:
            print(f"setup: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
