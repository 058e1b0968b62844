"""The master key of a data directory: made once, checked at each start."""

import os
from pathlib import Path

from app.core.crypto import Binding, KeyRing, MasterKeyError, create_key_file, key_file, load_key_ring
from app.core.errors import IntegrityError
from app.core.settings import Settings
from app.embedded.errors import KeyMismatch

_BINDING = Binding("installation", "master_key_check", "home")
_PROOF = b"sealed by the master key of this data directory"


def check_file(home: Path) -> Path:
    """Return where a sealed sentence lies that only the right key opens."""
    return home / "master.check"


def ensure(settings: Settings, *, has_data: bool) -> None:
    """Have the master key: make one for a new data directory, check the present one for an old.

    ``has_data`` says that the database was in use before, so that a new key could not open what is there. Raises
    ``KeyMismatch`` for a key that is lost or another one.
    """
    check = check_file(settings.home)
    file = key_file(settings.home)
    if settings.master_key is None and not file.exists():
        if has_data or check.exists():
            raise KeyMismatch(
                f"The master key {file} is gone, and the data was sealed with it. Restore that file from your backup "
                "(0600), or set SLUICE_MASTER_KEY to the key; without it, variables, plans and states can't be read. "
                "To begin anew, choose an empty --home and an empty database."
            )
        create_key_file(settings.home)
    try:
        ring = load_key_ring(settings)
        if check.exists():
            ring.open(check.read_bytes(), _BINDING)
            return
    except (MasterKeyError, IntegrityError) as error:
        source = "SLUICE_MASTER_KEY" if settings.master_key is not None else str(file)
        raise KeyMismatch(
            f"{source} does not open the data in {settings.home}: {error.detail} Use the key that the data was sealed "
            "with, or choose an empty --home."
        ) from error
    _write(check, ring)


def reseal_check(settings: Settings) -> None:
    """Seal the sentence anew with the key that seals now, so that an older key can go."""
    check = check_file(settings.home)
    if not check.exists():
        return
    ring = load_key_ring(settings)
    ring.open(check.read_bytes(), _BINDING)
    _write(check, ring)


def _write(check: Path, ring: KeyRing) -> None:
    temporary = check.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(ring.seal(_PROOF, _BINDING))
    temporary.rename(check)
