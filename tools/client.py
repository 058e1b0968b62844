#!/usr/bin/env python3
"""Generate the TypeScript client's types from the API; with ``--check`` only compare."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FRONTEND = ROOT / "frontend"
DOCUMENT = FRONTEND / "openapi.json"
TYPES = FRONTEND / "src" / "lib" / "api" / "schema.gen.ts"


def document() -> str:
    """Return the OpenAPI document of the API as it is now."""
    from app.main import create_app

    return json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n"


def types(openapi: Path, target: Path) -> None:
    """Write the TypeScript types of ``openapi`` to ``target``."""
    program = FRONTEND / "node_modules" / ".bin" / "openapi-typescript"
    subprocess.run([program, openapi, "-o", target], cwd=FRONTEND, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Write both files, or exit 1 when they are not what the API says."""
    fresh = document()
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(fresh)
        TYPES.parent.mkdir(parents=True, exist_ok=True)
        types(DOCUMENT, TYPES)
        return 0
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        (scratch / "openapi.json").write_text(fresh)
        types(scratch / "openapi.json", scratch / "schema.ts")
        stale = [
            file.relative_to(ROOT)
            for file, wanted in ((DOCUMENT, fresh), (TYPES, (scratch / "schema.ts").read_text()))
            if not file.is_file() or file.read_text() != wanted
        ]
    for file in stale:
        print(f"{file} is not what the API says: run `make client` and commit it.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
