"""Policy sets as commands name them: of this machine, which files of a directory belong; and of the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.program import with_remedy
from app.client.errors import ApiError, LocalProblem

PolicyName = Annotated[
    str,
    typer.Argument(
        metavar="PATH|URI",
        help="A .rego file or a directory of yours; or a policy set of the server's, as `attach` takes it.",
        show_default=False,
    ),
]
_OF_THE_SERVER = ("policies/", "upload:", "git+")
"""How the address of a policy set of the server's begins; a directory of that name here is ./policies/…."""


def draft_or_set(policy: str) -> dict[str, Any]:
    """Return what calls take of a policy: ``files`` and ``data`` of this machine's, or ``policy_set_uri``.

    Raises ``LocalProblem``.
    """
    if policy.startswith(_OF_THE_SERVER):
        return {"policy_set_uri": policy}
    files, data = read_policy(Path(policy))
    return {"files": files, "data": data}


@contextmanager
def set_of_the_server(policy: str) -> Iterator[None]:
    """Say how to name what lies here, where the server has no policy set of that name."""
    try:
        yield
    except ApiError as error:
        if error.code == "policy_set_not_found" and Path(policy).exists():
            raise with_remedy(error, f"What lies here is ./{policy}.") from None
        raise


def read_policy(path: Path) -> tuple[dict[str, str], str | None]:
    """Return the Rego files of a file or directory (name to text), tests left out, and its ``data.json``.

    Raises ``LocalProblem`` where there is none, or one that can't be read.
    """
    if path.is_file():
        if path.suffix != ".rego":
            raise LocalProblem(f"{path} is not a .rego file.", "policy_unreadable")
        return {path.name: _text(path)}, None
    if not path.is_dir():
        raise LocalProblem(
            f"There is no policy at {path}: name a .rego file or a directory of them, or a policy set of the server's "
            "by policies/NAME, as `sluice policy sets` lists them.",
            "policy_missing",
        )
    found = [file for file in sorted(path.rglob("*.rego")) if not file.name.endswith("_test.rego")]
    if not found:
        raise LocalProblem(f"{path} holds no .rego file other than tests.", "policy_missing")
    data = path / "data.json"
    return {file.relative_to(path).as_posix(): _text(file) for file in found}, _text(data) if data.is_file() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise LocalProblem(f"{file} is not UTF-8 text.", "policy_unreadable") from None
    except OSError as error:
        raise LocalProblem(f"{file} can't be read: {error.strerror}.", "policy_unreadable") from None
