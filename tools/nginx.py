"""nginx from the distribution's packages, unpacked into the tools' cache; nothing is installed on the machine.

apt checks what it fetches against the signed index of its repositories. Standard library only.
"""

import os
import shutil
import subprocess
from pathlib import Path

NAME = "nginx"
PROGRAM = Path("usr/sbin/nginx")
_WANTED = ("nginx", "nginx-core", "libpcre2-8-0", "libpcre3", "libssl3", "libssl3t64", "libcrypt1", "zlib1g")
_BY_HAND = "Install nginx so that it is on the PATH, or leave its tests out: they say so and are counted."


class NginxMissing(Exception):
    """nginx could not be had; the message says why and what to do."""


def find(directory: Path) -> Path | None:
    """Return the nginx of the cache, else the machine's own, else None."""
    kept = directory / NAME / PROGRAM
    if kept.is_file():
        return kept
    own = shutil.which(NAME) or next((path for path in ("/usr/sbin/nginx",) if os.access(path, os.X_OK)), None)
    return Path(own) if own else None


def environment(program: Path) -> dict[str, str]:
    """Return what an unpacked nginx needs to find its libraries."""
    root = program.parents[2]
    libraries = [str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu")) + sorted(root.glob("lib/*-linux-gnu"))]
    return {"LD_LIBRARY_PATH": ":".join(libraries)} if root != Path("/") and libraries else {}


def version(program: Path) -> str | None:
    """Return what it says of itself, such as `nginx/1.22.1`; None when it does not run."""
    try:
        done = subprocess.run(
            [program, "-v"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env=os.environ | environment(program),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stderr.strip().rsplit(" ", 1)[-1]


def install(directory: Path, scratch: Path) -> str:
    """Have nginx; return a line that says what was done. Raises ``NginxMissing``."""
    found = find(directory)
    if found is not None and (says := version(found)):
        return f"nginx is there: {found} ({says})"
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NginxMissing(f"It comes from Debian's or Ubuntu's packages, and there is no apt-get here. {_BY_HAND}")
    packages = [name for name in _WANTED if _is_known(name)]
    if NAME not in packages and os.geteuid() == 0:
        # A fresh image has no index at all.
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        packages = [name for name in _WANTED if _is_known(name)]
    if NAME not in packages:
        raise NginxMissing(f"apt knows no package nginx: run `apt-get update` as root. {_BY_HAND}")
    done = subprocess.run(["apt-get", "download", "-qq", *packages], cwd=scratch, check=False, capture_output=True)
    archives = sorted(scratch.glob("*.deb"))
    if done.returncode != 0 or not archives:
        raise NginxMissing(
            f"`apt-get download` failed: {done.stderr.decode(errors='replace')[-500:].strip()} {_BY_HAND}"
        )
    made = scratch / NAME
    for archive in archives:
        if subprocess.run(["dpkg", "-x", archive, made], check=False).returncode != 0:
            raise NginxMissing(f"`dpkg -x {archive.name}` failed. {_BY_HAND}")
    says = version(made / PROGRAM)
    if says is None:
        raise NginxMissing(f"What was unpacked does not run. {_BY_HAND}")
    shutil.rmtree(directory / NAME, ignore_errors=True)
    made.replace(directory / NAME)
    return f"{says} from the distribution's packages: {directory / NAME / PROGRAM}"


def _is_known(package: str) -> bool:
    done = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False)
    return "Candidate:" in done.stdout and "Candidate: (none)" not in done.stdout
