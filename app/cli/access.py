"""Which Sluice, and with which token: SLUICE_URL and SLUICE_TOKEN, else what `sluice login` stored."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Access:
    """An address and a token, and where they are from."""

    url: str
    token: str | None = field(repr=False)
    source: str


def credentials_file() -> Path:
    """Return where `sluice login` stores address and token."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "sluice" / "credentials.json"


def _stored() -> dict[str, Any]:
    file = credentials_file()
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise LocalProblem(
            f"{file} can't be read. Remove it and run `sluice login` again.", "credentials_unreadable"
        ) from None
    return document if isinstance(document, dict) else {}


def find_access() -> Access:
    """Return address and token. A stored token goes to the address that it was stored with, and nowhere else."""
    named = os.environ.get("SLUICE_URL", "").strip().rstrip("/")
    token = os.environ.get("SLUICE_TOKEN", "").strip()
    if named and token:
        return Access(named, token, "SLUICE_URL and SLUICE_TOKEN")
    stored = _stored()
    url = named or str(stored.get("url") or DEFAULT_URL).rstrip("/")
    if token:
        return Access(url, token, "SLUICE_TOKEN")
    if stored.get("token") and url == str(stored.get("url", "")).rstrip("/"):
        return Access(url, str(stored["token"]), str(credentials_file()))
    return Access(url, None, "SLUICE_URL" if named else "default")


def store(url: str, token: str) -> Path:
    """Keep address and token for later commands, readable by their owner alone. Returns the file."""
    file = credentials_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump({"url": url, "token": token}, opened)
        temporary.replace(file)
    except OSError as error:
        raise LocalProblem(f"{file} can't be written: {error.strerror}.", "credentials_unwritable") from None
    return file


def connect() -> "SluiceClient":
    """Return a client. Raises ``LocalProblem`` without a token."""
    from app.cli.output import say
    from app.client import SluiceClient

    access = find_access()
    if access.token is None:
        raise LocalProblem(
            f"There is no token for {access.url}. Set SLUICE_TOKEN (and SLUICE_URL), or run `sluice login`."
            f"{_of_this_machine()}",
            "token_missing",
        )
    return SluiceClient(access.url, access.token, say=say)


def _of_this_machine() -> str:
    home = os.environ.get("SLUICE_HOME")
    file = (Path(home) if home else Path.home() / ".local" / "share" / "sluice") / "admin.token"
    return f" The token of `sluice up` on this machine is in {file}." if file.is_file() else ""
