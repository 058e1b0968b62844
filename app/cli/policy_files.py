"""Policy sets that lie on this machine: which files of a directory belong, as the server reads them."""

from pathlib import Path

from app.client.errors import LocalProblem


def read_policy(path: Path) -> tuple[dict[str, str], str | None]:
    """Return the Rego files of a file or directory (name to text), tests left out, and its ``data.json``.

    Raises ``LocalProblem`` where there is none, or one that can't be read.
    """
    if path.is_file():
        if path.suffix != ".rego":
            raise LocalProblem(f"{path} is not a .rego file.", "policy_unreadable")
        return {path.name: _text(path)}, None
    if not path.is_dir():
        raise LocalProblem(f"There is no policy at {path}: name a .rego file or a directory of them.", "policy_missing")
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
