"""Opens the web UI in the person's browser."""

import html
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from app.executor import gateway
from app.executor.errors import ProcessFailed


@dataclass(frozen=True)
class OpenPage:
    """The desktop's opener with a file."""

    file: Path
    name: ClassVar[str] = "open"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return (self.file.as_uri(),)


def open_page(url: str, page: Path) -> bool:
    """Open ``url`` through ``page``, a file for its owner only, since everybody may read a process's arguments.

    Returns False where there is nothing to open it with.
    """
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        return False
    descriptor = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(url, quote=True)}">\n')
    try:
        launch = gateway.Launch(Path(opener), OpenPage(page), dict(os.environ), Path("/"))
        gateway.start(launch, log=page.with_name("browser.log"), dies_with_parent=False)
    except ProcessFailed:
        return False
    return True
